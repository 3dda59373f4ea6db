"""When a cron expression fires. The only file that knows croniter, which never sees a time zone.

The rule where clocks are changed:
- A schedule whose hours are given ("30 2 * * *") fires at the moment of the change for times the clocks were put
  forward over, once for all of them. One of every hour ("*/15 * * * *") has nothing to make up for.
- A schedule whose minutes and hours are both given fires the first time only when clocks show a time twice. With a
  minute or an hour that begins with "*" it fires both times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from croniter import CroniterError, croniter  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

from stepwell.functions.crontab import check_expression, fields_of
from stepwell.functions.errors import InvalidTrigger
from stepwell.platform.cron.zone import EPOCH, Zone, zone_of

MINUTE = 60_000
FURTHEST = 8 * 366 * 86_400_000
"""Ms that `last_fire` looks back: 29 February comes every eighth year at least."""
START = datetime(2000, 1, 1)  # noqa: DTZ001 - the time on a clock
LAST_YEAR = 9_000
"""No schedule fires after it; beyond the year 9999 Python knows no dates."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An expression, understood.

    Args:
        steps: finds the next time on a clock.
        shifts: a time that clocks are put forward over is made up for.
        once: of two times that clocks show alike only the first counts.
    """

    steps: Any
    shifts: bool
    once: bool

    def after(self, clock: datetime) -> datetime | None:
        """The next time on the clocks behind this one; `None` when there is none."""
        try:
            found: datetime = self.steps.get_next(datetime, start_time=clock)
        except CroniterError:
            return None
        return found if found.year < LAST_YEAR else None


@lru_cache(maxsize=16_384)
def rule_of(expression: str) -> Rule:
    """Reads an expression. Raises `ValueError` when it is none."""
    try:
        minute, hour, *_ = fields = fields_of(check_expression(expression))
        # As in every cron: both days have to fit when one of the two fields begins with "*", otherwise either does.
        steps = croniter(" ".join(fields), EPOCH, implement_cron_bug=True)
    except (InvalidTrigger, CroniterError) as error:
        raise ValueError(str(error)) from None
    fixed = not hour.startswith("*")
    return Rule(steps, fixed, fixed and not minute.startswith("*"))


def check_cron(expression: str, tz: str) -> None:
    """Raises `ValueError` with what is wrong: not understood, no such zone, or a day that never comes."""
    zone_of(tz)
    if rule_of(expression).after(START) is None:
        raise ValueError(f"{expression!r} never comes: no month of those has such a day")


def next_fire(expression: str, tz: str, after: int) -> int | None:
    """The first time behind `after` that a schedule fires at.

    Args:
        expression: five fields, or a nickname.
        tz: name of the zone whose clocks it is read by.
        after: ms UTC.

    Returns:
        Ms UTC; `None` when it never fires again.

    Raises:
        ValueError: expression or zone is none.
    """
    found = _next(rule_of(expression), zone_of(tz), after // 1000)
    return None if found is None else found * 1000


def fires(expression: str, tz: str, after: int) -> Iterator[int]:
    """All times behind `after`, one after the other; see `next_fire`."""
    found = next_fire(expression, tz, after)
    while found is not None:
        yield found
        found = next_fire(expression, tz, found)


def last_fire(expression: str, tz: str, until: int) -> int | None:
    """The last time not behind `until`, of at most eight years; see `next_fire`."""
    back = MINUTE
    while (found := next_fire(expression, tz, until - back)) is None or found > until:
        if back > FURTHEST:
            return None
        back *= 2
    end = until
    while (following := next_fire(expression, tz, found)) is not None and following <= until:
        middle = (following + end) // 2
        later = next_fire(expression, tz, middle)
        if later is None or later > until:
            found, end = following, middle
        else:
            found = later
    return found


def _next(rule: Rule, zone: Zone, after: int) -> int | None:
    clock, again = zone.clock(after)
    if rule.once:
        return _next_once(rule, zone, clock, after)
    here = zone.reading(clock)
    found = rule.after(clock)
    if here.kind == "repeated":
        ends = here.resumes + timedelta(seconds=here.second - here.first)
        if again:
            if found is not None and found < ends:
                return zone.reading(found).second
        elif found is None or found >= ends:
            # The clocks are put back before that, and begin anew at what they showed before.
            found = rule.after(here.resumes - timedelta(minutes=1))
            if found is not None and found < ends:
                return zone.reading(found).second
    return _first_of(rule, zone, found)


def _first_of(rule: Rule, zone: Zone, found: datetime | None) -> int | None:
    """The first moment of a time on the clocks, or of the next one that they do show."""
    while found is not None:
        there = zone.reading(found)
        if there.kind != "skipped" or rule.shifts:
            return there.first
        found = rule.after(there.resumes - timedelta(minutes=1))
    return None


def _next_once(rule: Rule, zone: Zone, clock: datetime, after: int) -> int | None:
    found = rule.after(clock)
    while found is not None:
        there = zone.reading(found)
        if there.first > after:
            return there.first
        # It was its turn before the clocks were put back, or when they were put forward.
        found = rule.after(found)
    return None
