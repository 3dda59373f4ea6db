"""Keys of controls: expressions over the event, each of whose values is counted by itself."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import structlog

from stepwell.platform.codec import encode
from stepwell.platform.expressions import EvaluationError, Expression, ExpressionError, compile_expression, index_value
from stepwell.platform.ids import digest_of

EVENT = frozenset({"event"})
"""The variables of a key."""
MAX_VALUE = 128
"""Characters of a value in the name of a lane; a longer one is cut and completed with its digest."""


class KeyFailed(Exception):
    """An expression of a control cannot be evaluated for an event; its text says why."""


def evaluate(expression: str, event: Mapping[str, Any]) -> Any:
    """Its value. Raises `KeyFailed`."""
    try:
        return _compiled(expression).evaluate({"event": event})
    except (ExpressionError, EvaluationError) as error:
        raise KeyFailed(str(error)) from None


@lru_cache(maxsize=4_096)
def _compiled(expression: str) -> Expression:
    return compile_expression(expression, EVENT)


def value_of(function: str, control: str, expression: str, event: Mapping[str, Any]) -> Any:
    """Its value, and null when there is none: a limit holds for these together, and no event is lost for it."""
    try:
        return evaluate(expression, event)
    except KeyFailed as error:
        structlog.get_logger("stepwell.ingest").warning(
            "control_not_evaluated", function=function, control=control, error=str(error)
        )
        return None


def word_of(value: Any) -> str:
    """A value as a word of the name of a lane: two are the same when the values are equal. Texts have no mark."""
    word = quote(value, safe="") if isinstance(value, str) else f"={quote(_text(value), safe='')}"
    return word if len(word) <= MAX_VALUE else f"{word[:MAX_VALUE]}~{digest_of(word)}"


def shown(word: str) -> str:
    """The value of a word, as a person reads it."""
    return unquote(word.removeprefix("="))


def _text(value: Any) -> str:
    known = index_value(value)
    return known.removeprefix("n:") if known else encode(value).decode()


def digest_for(function: str, control: str, key: str | None, event: Mapping[str, Any]) -> str:
    """Under which a control of a function counts an event."""
    value = "" if key is None else word_of(value_of(function, control, key, event))
    return digest_of(f"{function} {control} {value}")
