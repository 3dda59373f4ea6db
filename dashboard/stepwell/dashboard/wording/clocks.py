"""Times of schedules as the clocks of their zone show them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from stepwell.dashboard.wording.durations import span
from stepwell.dashboard.wording.moments import Moment, coming
from stepwell.platform.cron.zone import Zone, seconds_of, zone_of


@dataclass(frozen=True, slots=True)
class Fire:
    """A time at which a schedule fires.

    Args:
        moment: when that is.
        local: the same by the clocks of its zone.
        note: what is special about it, as when clocks are changed; or "".
    """

    moment: Moment
    local: str
    note: str


def fires(times: Iterable[int], tz: str, now: int) -> tuple[Fire, ...]:
    """The times of a schedule in a zone, ms UTC, in their order."""
    found = tuple(times)
    # Who gives times knows the zone.
    return tuple(_fires(found, zone_of(tz), now)) if found else ()


def _fires(times: Iterable[int], zone: Zone, now: int) -> Iterator[Fire]:
    before = now // 1000
    for time in times:
        seconds = time // 1000
        clock, _ = zone.clock(seconds)
        yield Fire(
            coming(time, now), f"{clock:%a %Y-%m-%d %H:%M} {_offset(zone, seconds)}", _note(zone, before, seconds)
        )
        before = seconds


def _note(zone: Zone, before: int, seconds: int) -> str:
    clock, again = zone.clock(seconds)
    if zone.reading(clock).kind == "repeated":
        return f"clocks show this time twice; this is the {'second' if again else 'first'}"
    if change := _shift(zone, seconds) - _shift(zone, seconds - 1):
        return f"clocks are put {_way(change)} by {span(abs(change) * 1000)} at this moment"
    if change := _shift(zone, seconds) - _shift(zone, before):
        return f"clocks are put {_way(change)} by {span(abs(change) * 1000)} before this"
    return ""


def _way(change: int) -> str:
    return "forward" if change > 0 else "back"


def _shift(zone: Zone, seconds: int) -> int:
    """How much the clocks are ahead of UTC, in seconds."""
    return seconds_of(zone.clock(seconds)[0]) - seconds


def _offset(zone: Zone, seconds: int) -> str:
    shift = _shift(zone, seconds)
    hours = timedelta(seconds=abs(shift)) // timedelta(hours=1)
    return f"{'-' if shift < 0 else '+'}{hours:02}:{abs(shift) // 60 % 60:02}"
