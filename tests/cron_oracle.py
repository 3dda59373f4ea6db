"""Our times of schedules against those of cronsim, around changes of the clocks; alone it sweeps over all of them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim

from stepwell.platform.cron.expression import fires
from stepwell.platform.cron.zone import Zone

FROM, TO = datetime(2011, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
AROUND = 2 * 86_400
"""Seconds before and behind a change that are looked at."""
MOST_TICKS = 50_000
"""Steps of cronsim around one change; a few thousand will do."""
ALIASES = frozenset({"localtime", "posixrules", "Factory"})

MADE_UP = "hours are given, minutes are not, and all of one day's were skipped: we fire once, at the change"
ENDLESS = "cronsim goes round without end, in Chatham, where clocks go back from 03:45 to 02:45"
BY_PARTS = "clocks are changed by a part of an hour, or within one: cronsim passes over times, or stops beside them"

USUAL = (
    "*/15 * * * *",
    "30 * * * *",
    "0 */2 * * *",
    "5 */3 * * *",
    "@hourly",
    "@daily",
    "0 */6 * * *",
    "*/20 0-4 * * *",
    "0,30 0-3,23 * * *",
    "45 1,2,3 * * mon-fri",
    "30 2 * * sun",
    "0 0 1,15 * *",
    "59 23 L * *",
    "15 3 */2 * *",
    "0 12 * * 5#2",
    "0 12 13 * fri",
)


class Endless(Exception):
    """cronsim does not come to the next time."""


class Bounded(CronSim):
    """cronsim, but it gives up."""

    def __init__(self, expression: str, start: datetime) -> None:
        self._ticks = 0
        super().__init__(expression, start)

    def tick(self, seconds: int = 1) -> None:
        """See `CronSim`."""
        self._ticks += 1
        if self._ticks > MOST_TICKS:
            raise Endless
        super().tick(seconds)


@dataclass(frozen=True, slots=True)
class Change:
    """The clocks of a zone are changed at a moment, in seconds since 1970, by so many seconds."""

    zone: str
    moment: int
    by: int

    @property
    def in_parts(self) -> bool:
        """Whether it is by a part of an hour, or within one."""
        return self.by % 3600 != 0 or Zone(self.zone).clock(self.moment)[0].minute != 0

    @property
    def expressions(self) -> Iterator[str]:
        """Usual ones, and some at the times that this change skips or repeats, and beside them."""
        yield from USUAL
        clock, _ = Zone(self.zone).clock(self.moment - 1)
        first = clock + timedelta(seconds=1) + timedelta(seconds=min(self.by, 0))
        for minutes in (
            -30,
            0,
            1,
            abs(self.by) // 120,
            abs(self.by) // 60 - 1,
            abs(self.by) // 60,
            abs(self.by) // 60 + 30,
        ):
            there = first + timedelta(minutes=minutes)
            yield f"{there.minute} {there.hour} * * *"
            yield f"*/10 {there.hour} * * *"
            yield f"{there.minute} * * * *"
            yield f"{there.minute} {there.hour} {there.day} {there.month} *"
            yield f"{min(there.minute, 50)}-59/7 {min(there.hour, 20)}-23/3 * * {there.isoweekday()}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One schedule around one change: what only we fire at, and what only cronsim does."""

    change: Change
    expression: str
    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    endless: bool = False

    @property
    def reason(self) -> str:
        """Why ours is right; empty when that is not known."""
        if set(our_times(self.change, self.expression)) != set(times_by_definition(self.change, self.expression)):
            return ""
        if self.endless:
            return ENDLESS
        minute, hour, *_ = NICKNAMES.get(self.expression, self.expression).split()
        if self.change.in_parts and "*" in (minute[0], hour[0]):
            return BY_PARTS  # cronsim goes on by whole hours, from a minute to the same minute
        made_up = minute.startswith("*") and not hour.startswith("*") and self.change.by > 0
        # cronsim, as Debian's cron, leaves the day out.
        return MADE_UP if made_up and self.ours == (self.change.moment,) and not self.theirs else ""

    def __str__(self) -> str:
        zone = ZoneInfo(self.change.zone)

        def shown(moments: Sequence[int]) -> str:
            return " ".join(datetime.fromtimestamp(one, zone).strftime("%Y-%m-%dT%H:%M%z") for one in moments) or "-"

        only = f"only ours {shown(self.ours)}, only theirs {shown(self.theirs)}"
        return f"{self.change.zone} {self.change.by} {self.expression!r}: {only}"


def changes_of(zone: str) -> Iterator[Change]:
    """Every change of the clocks of a zone within twenty years."""
    known, start, end = ZoneInfo(zone), int(FROM.timestamp()), int(TO.timestamp())

    def offset(moment: int) -> timedelta:
        found = datetime.fromtimestamp(moment, known).utcoffset()
        assert found is not None
        return found

    for day in range(start, end, 86_400):
        early, late = day, day + 86_400
        before, after = offset(early), offset(late)
        if before == after:
            continue
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (early, middle) if offset(middle) == after else (middle, late)
        yield Change(zone, late, int((after - before).total_seconds()))


def every_change() -> list[Change]:
    """Those of all zones; of zones that change alike, to the same clocks at the same moment, only the first."""
    found: dict[tuple[int, int, datetime], Change] = {}
    for zone in sorted(available_timezones() - ALIASES):
        for change in changes_of(zone):
            found.setdefault((change.moment, change.by, Zone(zone).clock(change.moment)[0]), change)
    return list(found.values())


def differences(change: Change) -> Iterator[Difference]:
    """How we differ from cronsim around a change."""
    for expression in dict.fromkeys(change.expressions):
        ours = set(our_times(change, expression))
        try:
            theirs = set(their_times(change, expression))
        except Endless:
            yield Difference(change, expression, tuple(sorted(ours)), (), endless=True)
            continue
        if ours != theirs:
            yield Difference(change, expression, tuple(sorted(ours - theirs)), tuple(sorted(theirs - ours)))


def our_times(change: Change, expression: str) -> Iterator[int]:
    """In seconds since 1970."""
    end = (change.moment + AROUND) * 1000
    times = fires(expression, change.zone, (change.moment - AROUND) * 1000)
    return (found // 1000 for found in takewhile(lambda found: found <= end, times))


def times_by_definition(change: Change, expression: str) -> Iterator[int]:
    """In seconds since 1970: each minute is looked at, and what clocks show then."""
    minute, hour, *_ = fields = NICKNAMES.get(expression, expression).split()
    fixed, zone = not hour.startswith("*"), Zone(change.zone)
    before, first = zone.clock(change.moment - 1)[0] + timedelta(seconds=1), zone.clock(change.moment - AROUND)[0]
    days = CronSim(" ".join(fields), first - timedelta(days=2))
    wanted = set(takewhile(lambda clock: clock < first + timedelta(days=8), days))
    skipped = any(before <= clock < before + timedelta(seconds=change.by) for clock in wanted)
    for moment in range(change.moment - AROUND + 60, change.moment + AROUND + 1, 60):
        clock, again = zone.clock(moment)
        shown = clock in wanted and not (again and fixed and not minute.startswith("*"))
        if shown or (moment == change.moment and fixed and skipped):
            yield moment


NICKNAMES = {"@hourly": "0 * * * *", "@daily": "0 0 * * *"}


def their_times(change: Change, expression: str) -> Iterator[int]:
    """In seconds since 1970."""
    start = datetime.fromtimestamp(change.moment - AROUND, ZoneInfo(change.zone))
    found = (int(one.timestamp()) for one in Bounded(NICKNAMES.get(expression, expression), start))
    return takewhile(lambda moment: moment <= change.moment + AROUND, found)


def sweep(changes: Sequence[Change]) -> tuple[Counter[str], list[Difference]]:
    """Counts of what was compared and of the differences, and those that have no reason."""
    counts, unwanted = Counter[str](), list[Difference]()
    for change in changes:
        counts["changes"] += 1
        counts["schedules"] += len(set(change.expressions))
        for difference in differences(change):
            reason = difference.reason
            counts[reason or "no reason known"] += 1
            if not reason:
                unwanted.append(difference)
    return counts, unwanted


if __name__ == "__main__":
    counted, left = sweep(every_change()[:: int(sys.argv[1]) if len(sys.argv) > 1 else 1])
    for line in left:
        sys.stdout.write(f"{line}\n")
    for name, count in counted.items():
        sys.stdout.write(f"{count:>8,}  {name}\n")
