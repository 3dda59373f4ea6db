"""What a run waits for, besides time: events, and the first of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import orjson

from stepwell.functions.conditions import condition, mistake
from stepwell.functions.durations import Duration, milliseconds, moment
from stepwell.functions.errors import InvalidDuration, InvalidStep
from stepwell.functions.ids import bytes_of
from stepwell.functions.received import ReceivedEvent

MOST_EVENTS: Final = 16


@dataclass(frozen=True, slots=True)
class EventWait:
    """The next event of a name that fits.

    Args:
        event: its name; no wildcard.
        match: a path, such as "data.id", at which it and the event that started the run have the same value.
        if_: instead, an expression over `event`, which started the run, and `async`, the one waited for.
        lookback: whether one counts that came after the event that started the run, but before the wait was reached.

    Raises:
        InvalidStep: a value cannot be used.
    """

    event: str
    match: str | None = None
    if_: str | None = None
    lookback: bool = True

    def __post_init__(self) -> None:
        wrong = mistake(self.event, self.match, self.if_)
        if not wrong and type(self.lookback) is not bool:
            wrong = f"lookback is True or False, not {self.lookback!r:.100}"
        if wrong:
            raise InvalidStep(f"waiting for {self.event!r:.100}: {wrong}")

    @property
    def condition(self) -> str:
        """The expression over `event` and `async` that has to be true; "" for any event of the name."""
        return condition(self.match, self.if_)


def on_event(name: str, *, match: str | None = None, if_: str | None = None, lookback: bool = True) -> EventWait:
    """An event as an entry of `step.wait_for_any`; see `EventWait`."""
    return EventWait(name, match, if_, lookback)


@dataclass(frozen=True, slots=True)
class First:
    """What came first of all that `step.wait_for_any` has waited for.

    Args:
        name: of the entry.
        event: that has come; None for a timer.
    """

    name: str
    event: ReceivedEvent | None


@dataclass(frozen=True, slots=True)
class Timer:
    """An entry that is a time.

    Args:
        name: of the entry.
        delay: ms from when the wait is first reached; None for a moment.
        until: ms UTC; None for a delay.
    """

    name: str
    delay: int | None
    until: int | None

    def due(self, now: int) -> int:
        """ms UTC when it is over, for a wait that is reached now."""
        return now + self.delay if self.delay is not None else self.until or 0


@dataclass(frozen=True, slots=True)
class Race:
    """The entries of `step.wait_for_any`.

    Args:
        names: of the events, in the order given.
        waits: the events.
        timers: the times.
    """

    names: tuple[str, ...]
    waits: tuple[EventWait, ...]
    timers: tuple[Timer, ...]

    def timer(self, now: int) -> Timer | None:
        """The one that is over first, of a wait that is reached now; 0 when that is unknown, then durations are."""
        return min(self.timers, key=lambda timer: timer.due(now), default=None)

    def first(self, what: str, payload: bytes) -> First:
        """Who has won, as recorded: [index of the event, event], or [name of the timer]; or [name, event] by hand.

        Args:
            what: function and step, for errors.
            payload: of the outcome.

        Raises:
            InvalidStep: the code does not have that event any more.
        """
        recorded: list[Any] = orjson.loads(payload)
        won: int | str = recorded[0]
        if isinstance(won, str):
            return self._named(what, won, recorded[1:])
        if won >= len(self.names):
            raise InvalidStep(
                f"{what} is recorded as won by event {won + 1} of those it waited for, and now waits for "
                f"{len(self.names)}: give a wait for something else another id"
            )
        return First(self.names[won], ReceivedEvent.of(recorded[1]))

    def _named(self, what: str, name: str, event: list[Any]) -> First:
        if event and name not in self.names:
            raise InvalidStep(f"{what} is recorded as won by {name!r}, and waits for {', '.join(self.names)}")
        return First(name, ReceivedEvent.of(event[0]) if event else None)


def race(entries: object) -> Race:
    """Reads what `step.wait_for_any` is given.

    Raises:
        InvalidStep: there is no entry, or one that is neither event nor time, or there are more than 16 events.
        InvalidDuration: a time cannot be read.
    """
    if not isinstance(entries, Mapping) or not entries:
        raise InvalidStep(
            f"what it waits for is a dict of names, with an event or a time for each, and not {entries!r:.100}"
        )
    given = cast("Mapping[object, object]", entries)
    events: dict[str, EventWait] = {}
    timers: list[Timer] = []
    for name, entry in given.items():
        known = _name(name)
        if isinstance(entry, EventWait):
            events[known] = entry
        else:
            timers.append(_timer(known, entry))
    if len(events) > MOST_EVENTS:
        raise InvalidStep(f"it waits for {len(events)} events, and may for {MOST_EVENTS} at most")
    return Race(tuple(events), tuple(events.values()), tuple(timers))


def event_in(payload: bytes) -> ReceivedEvent | None:
    """The event that a wait has recorded; None when its time was over."""
    found = orjson.loads(payload)
    return None if found is None else ReceivedEvent.of(found)


def _name(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidStep(f'each thing waited for has a name that is text, such as "approved", not {name!r:.100}')
    if bytes_of(name) is None:
        raise InvalidStep(f"{name[:40]!r} is no text that can be written as UTF-8: it has half a character")
    return name


def _timer(name: str, entry: object) -> Timer:
    try:
        if isinstance(entry, datetime):
            return Timer(name, None, moment(entry))
        return Timer(name, milliseconds(cast("Duration", entry)), None)
    except InvalidDuration as error:
        raise InvalidDuration(f'{name!r}: {error}; an event is on_event("order.approved")') from None
