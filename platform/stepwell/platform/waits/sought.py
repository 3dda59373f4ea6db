"""What a wait is looking for: the condition of a wait, as far as a word can say it, and the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from stepwell.platform.codec import encode
from stepwell.platform.expressions import Expression, compile_expression, index_value
from stepwell.platform.expressions.expression import Conjuncts
from stepwell.platform.ids import digest_of
from stepwell.platform.waits.words import Paths, word_of

NAMES = frozenset({"event", "async"})
"""Variables of a condition: the event that started the run, and the one that may end the wait."""
MOST_SETS = 8
"""Sets of paths for one name; conditions with yet others are evaluated for every event of the name."""


@dataclass(frozen=True, slots=True)
class Sought:
    """An event that is waited for.

    Args:
        name: of the event.
        paths: whose values the word stands for.
        word: by which it is found.
        rest: an expression that has to be true besides, or "".
    """

    name: str
    paths: Paths
    word: str
    rest: str

    @property
    def mark(self) -> str:
        """The same for all waits of a run for the same events: each takes up where the one before has stopped."""
        return digest_of(f"{self.word} {self.rest}") if self.rest else self.word


@lru_cache(maxsize=4_096)
def condition_of(text: str) -> Expression:
    """A condition, understood once. Raises `ExpressionError`."""
    return compile_expression(text, NAMES)


def paths_of(text: str) -> Paths:
    """The paths of the incoming event that a condition compares with something known. Raises `ExpressionError`."""
    return _index(text)[0] if text else ()


def sought(name: str, text: str, event: Mapping[str, Any], sets: Callable[[], tuple[Paths, ...]]) -> Sought:
    """What a wait with the condition `text`, or "" for none, is looking for.

    Args:
        name: of the event waited for.
        text: over `event` and `async`.
        event: that started the run, {id, name, data, ts}.
        sets: gives the sets of paths that events of the name are looked up by already.

    Raises:
        ExpressionError: it is no condition.
        EvaluationError: what it compares with cannot be evaluated.
    """
    if not text:
        return Sought(name, (), word_of(name, (), ()), "")
    paths, terms = _index(text)
    values = [index_value(key.value.evaluate({"event": event})) for key in sorted(terms.keys, key=_order)]
    known = [value for value in values if value is not None]
    if not paths or len(known) < len(values) or (paths not in (found := sets()) and len(found) >= MOST_SETS):
        return Sought(name, (), word_of(name, (), ()), text)
    return Sought(name, paths, word_of(name, paths, known), terms.rest.text if terms.rest else "")


def fits(rest: str, event: Mapping[str, Any], incoming: Mapping[str, Any]) -> bool:
    """Whether an event that has come fulfils the rest of a condition."""
    return not rest or condition_of(rest).matches({"event": event, "async": incoming})


@lru_cache(maxsize=4_096)
def _index(text: str) -> tuple[Paths, Conjuncts]:
    terms = condition_of(text).split("async")
    paths = tuple(key.path for key in sorted(terms.keys, key=_order))
    # Two terms about one path cannot be one word; the whole is then evaluated.
    return (paths if len(set(paths)) == len(paths) else (), terms)


def _order(key: Any) -> bytes:
    return encode(key.path)
