"""Brings what a partition plans in line with what is registered: what stays is left alone."""

from collections.abc import Iterable, Mapping, Sequence

from stepwell.platform.cron.schedule import GRACE, Schedule
from stepwell.platform.engine.partition import Argument, Partition

BATCH = 64

Item = tuple[str, str, int, int]
"""Of the script: add, drop or back; the schedule; its next time, and when that is fired."""


async def plan(partition: Partition, version: int, schedules: Mapping[str, Schedule]) -> None:
    """Adds and drops schedules until the partition has those that are at home in it.

    Args:
        partition: theirs.
        version: of the registry they are of; when it has another by now, whoever brought that goes on.
        schedules: by id.
    """
    planned = await partition.read("HGET", partition.keys.name("k_meta"), "planned")
    if int(planned or 0) == version:
        return
    known: Sequence[bytes] = await partition.read("HKEYS", partition.keys.name("k_schedules"))
    there = {id.decode() for id in known}
    now = await time_at(partition)
    gone: list[Item] = [("drop", id, 0, 0) for id in sorted(there - schedules.keys())]
    new = [_item("add", schedule, now) for id, schedule in schedules.items() if id not in there]
    await _send(partition, version, [*gone, *new], planned=1, settled=0)


async def set_back(partition: Partition, version: int, schedules: Iterable[Schedule]) -> None:
    """After time went back: no schedule waits for a time that is further off than its next one.

    What of that has fired already has its run, and starts no other.
    """
    now = await time_at(partition) - GRACE
    await _send(partition, version, [_item("back", schedule, now) for schedule in schedules], planned=0, settled=1)


async def time_at(partition: Partition) -> int:
    """The time that scripts go by, in ms UTC."""
    if given := partition.clock.argument():
        return int(given)
    seconds, micros = await partition.read("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def _item(what: str, schedule: Schedule, now: int) -> Item:
    upcoming = schedule.after(now)
    return what, schedule.id, upcoming, schedule.due(upcoming)


async def _send(partition: Partition, version: int, items: Sequence[Item], *, planned: int, settled: int) -> None:
    batches = [items[at : at + BATCH] for at in range(0, len(items), BATCH)] or [()]
    for number, batch in enumerate(batches, start=1):
        last = int(number == len(batches))
        fixed: tuple[Argument, ...] = (version, planned * last, settled * last)
        if await partition.script("plan", *fixed, items=batch) == b"RELOAD":
            return
