"""What starts a function."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from stepwell.functions.conditions import illegible
from stepwell.functions.crontab import check_expression
from stepwell.functions.durations import Duration, milliseconds
from stepwell.functions.errors import InvalidTrigger
from stepwell.functions.ids import check_event_name

Overlap = Literal["allow", "skip", "queue", "cancel_old"]
CatchUp = Literal["none", "last", "all"]
LONGEST: Final = 366 * 86_400_000
"""Ms of the longest window."""
MOST_JITTER: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class EventTrigger:
    """Every event of a name, or of all names that begin alike ("order.*", "app/*").

    Args:
        event: the name; at most 512 bytes; the last segment may be `*`.
        if_: an expression over `event` that has to be true, such as "event.data.total > 100"; "" for any event.

    Raises:
        InvalidTrigger: the name cannot be one, or the condition is no text, blank, or longer than 4,096 characters.
    """

    event: str
    if_: str = ""

    def __post_init__(self) -> None:
        check_event_name(self.event)
        wrong = "" if self.if_ == "" else illegible("if_=", self.if_, "event.data.total > 100")
        if wrong:
            raise InvalidTrigger(wrong)


@dataclass(frozen=True, slots=True)
class CronTrigger:
    """A schedule; see `cron`.

    Args:
        expr, tz, overlap, catch_up: see `cron`.
        jitter: in ms.
        window: in ms.

    Raises:
        InvalidTrigger: the expression, the zone, or a choice is none.
    """

    expr: str
    tz: str = "UTC"
    jitter: int = 0
    overlap: Overlap = "allow"
    catch_up: CatchUp = "last"
    window: int = 3_600_000

    def __post_init__(self) -> None:
        check_expression(self.expr)
        check_zone(self.tz)
        _check_choice("overlap", self.overlap, get_args(Overlap))
        _check_choice("catch_up", self.catch_up, get_args(CatchUp))
        _check_length("jitter", self.jitter, 0, MOST_JITTER, "a day")
        _check_length("window", self.window, 0, LONGEST, "366 days")


Trigger = EventTrigger | CronTrigger


def event(name: str, *, if_: str = "") -> EventTrigger:
    """Starts a run for each event of this name for which `if_` is true; see `EventTrigger`."""
    return EventTrigger(name, if_)


def cron(
    expr: str,
    *,
    tz: str = "UTC",
    jitter: Duration | None = None,
    overlap: Overlap = "allow",
    catch_up: CatchUp = "last",
    window: Duration = "1h",
) -> CronTrigger:
    """Starts a run at each time of a schedule.

    Args:
        expr: minute, hour, day of the month, month, day of the week, as in "0 9 * * mon-fri"; or "@daily" and its like.
        tz: the zone whose clocks it is read by, such as "Europe/Berlin".
        jitter: each run starts up to so much later, always the same for the same time; at most a day.
        overlap: when the run before has not ended: "allow" both, "skip" the new one, "queue" it until the other has
            ended, or "cancel_old".
        catch_up: which of the times at which nothing could start runs are made up for: "none", the "last", or "all".
        window: how old such a time may be; at most 366 days.

    Raises:
        InvalidTrigger: one of them cannot be what it is meant to be.
        InvalidDuration: a duration cannot be read.
    """
    return CronTrigger(expr, tz, 0 if jitter is None else milliseconds(jitter), overlap, catch_up, milliseconds(window))


def check_zone(tz: str) -> str:
    """The name of a time zone. Raises `InvalidTrigger` when there is none of this name."""
    try:
        ZoneInfo(tz)
    except (KeyError, ValueError, OSError, TypeError, AttributeError):
        raise InvalidTrigger(f'tz={tz!r} is no time zone: use a name such as "Europe/Berlin" or "UTC"') from None
    return tz


def triggers(on: str | Trigger | Iterable[str | Trigger]) -> tuple[Trigger, ...]:
    """All triggers of a function, each once, in the order given.

    Raises:
        InvalidTrigger: there are none, one is neither a name nor a trigger, or two are one schedule with other choices.
    """
    given = [on] if isinstance(on, (str, EventTrigger, CronTrigger)) else list(_iterable(on))
    if not given:
        raise InvalidTrigger("a function needs at least one trigger: on='order.placed'")
    found = tuple(dict.fromkeys(_trigger(one) for one in given))
    _check_schedules([one for one in found if isinstance(one, CronTrigger)])
    return found


def _check_schedules(schedules: list[CronTrigger]) -> None:
    seen: set[tuple[str, str]] = set()
    for one in schedules:
        if (one.expr, one.tz) in seen:
            raise InvalidTrigger(f"cron {one.expr!r} in {one.tz} is given twice, with different choices: keep one")
        seen.add((one.expr, one.tz))


def _check_choice(name: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InvalidTrigger(f"{name}={given!r}: choose one of {', '.join(allowed)}")


def _check_length(name: str, given: object, least: int, most: int, words: str) -> None:
    if type(given) is not int or not least <= given <= most:
        raise InvalidTrigger(f"{name} is at most {words}; it is {given!r} ms")


def _iterable(on: Iterable[str | Trigger]) -> Iterable[str | Trigger]:
    if not isinstance(on, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidTrigger(f"on= is an event name, event(…), cron(…), or a list of them, not {on!r}")
    return on


def _trigger(one: str | Trigger) -> Trigger:
    if isinstance(one, str):
        return EventTrigger(one)
    if not isinstance(one, (EventTrigger, CronTrigger)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidTrigger(f"on= is an event name, event(…), cron(…), or a list of them, not {one!r}")
    return one
