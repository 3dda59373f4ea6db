"""How many runs may execute at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from stepwell.functions.bounds import check_count, check_key, check_word
from stepwell.functions.errors import InvalidControl
from stepwell.functions.ids import ID

Scope = Literal["function", "app", "environment"]
MOST_CONTROLS: Final = 3
"""Of a function."""


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs are executing at once; a run that sleeps or waits does not count.

    Args:
        limit: 1 to 1,000,000,000.
        key: an expression over `event`, such as "event.data.customer": the limit then holds for each value apart.
        scope: whose runs are counted: those of the "function", or those of all functions of the "app" or of the
            "environment" that have a control of this scope and `name`.
        name: of what is shared beyond one function: 1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter or digit.

    Raises:
        InvalidControl: a value is out of its range, or the name is missing, or is there where nothing is shared.
    """

    limit: int
    key: str | None = None
    scope: Scope = "function"
    name: str | None = None

    def __post_init__(self) -> None:
        check_count("Concurrency: limit", self.limit)
        check_key("Concurrency", self.key)
        check_word("Concurrency: scope", self.scope, get_args(Scope))
        self._check_name()

    @property
    def shared(self) -> tuple[Scope, str] | None:
        """Scope and name of the slots that it shares with other functions; None when it shares none."""
        return None if self.name is None else (self.scope, self.name)

    def _check_name(self) -> None:
        if self.scope == "function":
            if self.name is not None:
                raise InvalidControl(
                    f'Concurrency: a name is for what functions share: write scope="app" beside name={self.name!r:.100}'
                )
        elif self.name is None:
            raise InvalidControl(
                f'Concurrency: scope="{self.scope}" needs a name, by which functions share the slots: '
                f'Concurrency({self.limit}, scope="{self.scope}", name="printers")'
            )
        elif not isinstance(self.name, str) or not re.fullmatch(ID, self.name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidControl(
                f"Concurrency: name {self.name!r:.100} is not allowed: use 1 to 64 of A-Z a-z 0-9 . _ - "
                "and begin with a letter or digit"
            )


def concurrencies(given: int | Concurrency | Iterable[int | Concurrency] | None) -> tuple[Concurrency, ...]:
    """The concurrency controls of a function; a bare int is a limit without a key.

    Raises:
        InvalidControl: one of them is not a control, there are too many, or two share the same slots.
    """
    found = tuple(_concurrency(one) for one in _several(given))
    if len(found) > MOST_CONTROLS:
        raise InvalidControl(f"concurrency= is at most {MOST_CONTROLS} controls, not {len(found)}")
    names = [one.shared for one in found if one.shared]
    for scope, name in names:
        if names.count((scope, name)) > 1:
            raise InvalidControl(f"Concurrency: name {name!r} of the {scope} is there twice: leave out one of the two")
    return found


def clashes(these: Iterable[Concurrency], those: Iterable[Concurrency]) -> Iterator[str]:
    """Which slots the controls of two functions share without the same limit and key; in words, for errors."""
    shared = {one.shared: one for one in those if one.shared}
    for one in these:
        other = shared.get(one.shared) if one.shared else None
        if other is not None and other != one:
            yield f"the slots {one.name!r} of the {one.scope}, one with {_shown(one)} and one with {_shown(other)}"


def _shown(one: Concurrency) -> str:
    return f"limit {one.limit} and {f'key {one.key!r:.100}' if one.key else 'no key'}"


def _several(given: int | Concurrency | Iterable[int | Concurrency] | None) -> Iterable[int | Concurrency]:
    if given is None:
        return ()
    if isinstance(given, (int, Concurrency)):
        return (given,)
    if isinstance(given, str) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidControl(_refusal(given))
    return given


def _concurrency(one: int | Concurrency) -> Concurrency:
    if isinstance(one, Concurrency):
        return one
    if type(one) is int:
        return Concurrency(one)
    raise InvalidControl(_refusal(one))


def _refusal(given: object) -> str:
    return f"concurrency= is an int, Concurrency(5) or a list of them, not {given!r:.100}"
