"""Events that cancel runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stepwell.functions.bounds import length_if_any
from stepwell.functions.conditions import condition, mistake
from stepwell.functions.durations import Duration
from stepwell.functions.errors import InvalidControl

MOST_CANCELS: Final = 64
"""Events that cancel the runs of one function."""


@dataclass(frozen=True, slots=True)
class CancelOn:
    """An event that comes while a run is under way cancels it.

    Args:
        event: its name; no wildcard.
        match: a path, such as "data.id", at which it and the event that started the run have the same value.
        if_: instead, an expression over `event`, which started the run, and `async`, the one that cancels it; with
            neither, every run under way is cancelled.
        within: how long after the run was created it counts; None: for as long as the run lives.

    Raises:
        InvalidControl: a value cannot be used.
    """

    event: str
    match: str | None = None
    if_: str | None = None
    within: Duration | None = None

    def __post_init__(self) -> None:
        wrong = mistake(self.event, self.match, self.if_)
        if wrong:
            raise InvalidControl(f"CancelOn({self.event!r:.100}): {wrong}")
        length_if_any("CancelOn: within", self.within)

    @property
    def condition(self) -> str:
        """The expression over `event` and `async` that has to be true; "" for any event of the name."""
        return condition(self.match, self.if_)

    @property
    def within_ms(self) -> int | None:
        """`within` in ms."""
        return length_if_any("CancelOn: within", self.within)


def cancellations(given: CancelOn | Iterable[CancelOn] | None) -> tuple[CancelOn, ...]:
    """All that cancels runs of a function, each once.

    Raises:
        InvalidControl: one of them is no `CancelOn`, or they are more than 64.
    """
    if given is None:
        return ()
    if isinstance(given, CancelOn):
        return (given,)
    if isinstance(given, str) or not isinstance(given, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidControl(_refusal(given))
    every = list(given)
    for one in every:
        if not isinstance(one, CancelOn):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidControl(_refusal(one))
    found = tuple(dict.fromkeys(every))
    if len(found) > MOST_CANCELS:
        raise InvalidControl(
            f"cancel_on= has {len(found)} events, and may have {MOST_CANCELS}: give those that mean the same one name"
        )
    return found


def _refusal(given: object) -> str:
    event = given if isinstance(given, str) and given else "order.cancelled"
    return f'cancel_on= is CancelOn("{event}", match="data.id") or a list of them, not {given!r:.100}'
