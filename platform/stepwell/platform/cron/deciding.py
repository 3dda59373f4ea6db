"""What a schedule that is due is to do: fire its time, and what to do about those it has missed."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from stepwell.platform.cron.schedule import GRACE, Schedule

MOST_COUNTED = 100
"""Missed times that are counted after one standstill."""
SLICE = 20
"""Times that are found before anything else gets its turn: each takes 0.06 to 0.9 ms."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one schedule. Times in ms UTC.

    Args:
        expected: the time that is taken for the next.
        when: the one that is to start a run, or 0.
        next: the time behind all this, 0 when there is none.
        due: when that is fired.
        missed: times that nothing makes up for.
    """

    expected: int
    when: int
    next: int
    due: int
    missed: int


async def decide(schedule: Schedule, first: int, now: int) -> Decision:
    """What to do at `now` with a schedule whose next time, `first`, is due."""
    if not schedule.known:
        # This machine does not know its zone; another one may.
        return Decision(first, 0, first, now + GRACE, 0)
    following = schedule.after(first)
    if not following or schedule.due(following) > now:
        return _alone(schedule, first, following, now)
    if schedule.catch_up == "last":
        return await _newest(schedule, first, now)
    if now - schedule.due(first) <= schedule.patience:
        return Decision(first, first, following, schedule.due(following), 0)
    return await _give_up(schedule, first, now)


def _alone(schedule: Schedule, first: int, following: int, now: int) -> Decision:
    late = now - schedule.due(first) > schedule.patience
    return Decision(first, 0 if late else first, following, schedule.due(following), int(late))


async def _newest(schedule: Schedule, first: int, now: int) -> Decision:
    """Of all that are due the newest fires, unless it is too old."""
    newest = schedule.last(now)
    if schedule.due(newest) > now:
        newest = schedule.last(newest - 1)
    following, before = schedule.after(newest), await _count(schedule.times(first, newest))
    late = now - schedule.due(newest) > schedule.patience
    return Decision(first, 0 if late else newest, following, schedule.due(following), min(before + late, MOST_COUNTED))


async def _give_up(schedule: Schedule, first: int, now: int) -> Decision:
    """All that are too old are missed; the next step goes on with the first that is not."""
    # No delay reaches up to the time that follows, so that all before the one found are too old.
    young = max(first, schedule.last(now - schedule.patience))
    while young and now - schedule.due(young) > schedule.patience:
        young = schedule.after(young)
    return Decision(first, 0, young, schedule.due(young), await _count(schedule.times(first, young or now)))


async def first_of(times: Iterator[int], most: int) -> list[int]:
    """The first times, at most so many; others have their turn meanwhile."""
    found = list[int]()
    for time in islice(times, most):
        found.append(time)
        if len(found) % SLICE == 0:
            await asyncio.sleep(0)
    return found


async def _count(times: Iterator[int]) -> int:
    """How many there are, as far as that is counted."""
    return len(await first_of(times, MOST_COUNTED))
