"""What starts a function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stepwell.functions.errors import InvalidTrigger
from stepwell.functions.ids import check_event_name


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """Every event of a name, or of all names that begin alike ("order.*").

    Args:
        event: the name; at most 512 bytes; the last segment may be `*`.
        if_: an expression over `event` that has to be true, such as "event.data.total > 100"; "" for any event.

    Raises:
        InvalidTrigger: the name cannot be one, or the condition is no text.
    """

    event: str
    if_: str = ""

    def __post_init__(self) -> None:
        check_event_name(self.event)
        if not isinstance(self.if_, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidTrigger(f"if_= is an expression as text, such as 'event.data.total > 100', not {self.if_!r}")


Trigger = EventTrigger


def event(name: str, *, if_: str = "") -> EventTrigger:
    """Starts a run for each event of this name for which `if_` is true; see `EventTrigger`."""
    return EventTrigger(name, if_)


def triggers(on: str | Trigger | Iterable[str | Trigger]) -> tuple[Trigger, ...]:
    """All triggers of a function, each once, in the order given.

    Raises:
        InvalidTrigger: there are none, or one is neither a name nor a trigger.
    """
    given = [on] if isinstance(on, (str, EventTrigger)) else list(_iterable(on))
    if not given:
        raise InvalidTrigger("a function needs at least one trigger: on='order.placed'")
    return tuple(dict.fromkeys(_trigger(one) for one in given))


def _iterable(on: Iterable[str | Trigger]) -> Iterable[str | Trigger]:
    if not isinstance(on, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidTrigger(f"on= is an event name, event(…), or a list of them, not {on!r}")
    return on


def _trigger(one: str | Trigger) -> Trigger:
    if isinstance(one, str):
        return EventTrigger(one)
    if not isinstance(one, EventTrigger):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidTrigger(f"on= is an event name, event(…), or a list of them, not {one!r}")
    return one
