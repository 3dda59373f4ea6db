"""Brings what a partition plans in line with what is registered: what stays is left alone."""

from collections.abc import Iterable, Mapping, Sequence

from stepwell.platform.cron.schedule import GRACE, Schedule
from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.engine.partition import Partition

BATCH = 64

Item = tuple[str, str, int, int, str]
"""Of the script: add, drop or back; the schedule; its next time, when that is fired, what another partition knows."""


class Plan:
    """The schedules that a partition plans, on their way to those of a version of the registry.

    Args:
        partition: theirs.
        version: of the registry; when the partition has another by now, whoever brought that goes on.
    """

    __slots__ = ("_version", "partition")

    def __init__(self, partition: Partition, version: int) -> None:
        self.partition = partition
        self._version = version

    async def take_up(self, schedules: Mapping[str, Schedule], partitions: Sequence[Partition]) -> None:
        """Adds those at home here that it has not; with what one of the other partitions knows of them, if it does."""
        if await self._is_planned():
            return
        there, now = await self._known(), await time_at(self.partition)
        new = [schedules[id] for id in sorted(schedules.keys() - there)]
        others = [partition for partition in partitions if partition is not self.partition]
        for first in range(0, len(new), BATCH):
            some = new[first : first + BATCH]
            states = await _states_in(others, [schedule.id for schedule in some])
            items = [_carried(one, states[one.id]) if one.id in states else _item("add", one, now) for one in some]
            await self._send(items, planned=0)

    async def drop_others(self, schedules: Mapping[str, Schedule]) -> None:
        """Drops those that are not at home here."""
        if await self._is_planned():
            return
        gone = sorted(await self._known() - schedules.keys())
        parts = [gone[first : first + BATCH] for first in range(0, len(gone), BATCH)] or [[]]
        for number, part in enumerate(parts, start=1):
            await self._send([("drop", id, 0, 0, "") for id in part], planned=int(number == len(parts)))

    async def _is_planned(self) -> bool:
        planned = await self.partition.read("HGET", self.partition.keys.name("k_meta"), "planned")
        return int(planned or 0) == self._version

    async def _known(self) -> set[str]:
        known: Sequence[bytes] = await self.partition.read("HKEYS", self.partition.keys.name("k_schedules"))
        return {id.decode() for id in known}

    async def _send(self, items: Sequence[Item], *, planned: int) -> None:
        # What it answers matters to nobody: with RELOAD, somebody else plans a newer version.
        await self.partition.script("plan", self._version, planned, 0, items=items)


async def set_back(partition: Partition, version: int, schedules: Iterable[Schedule]) -> None:
    """After time went back: no schedule waits for a time that is further off than its next one.

    What of that has fired already has its run, and starts no other.
    """
    now = await time_at(partition) - GRACE
    items = [_item("back", schedule, now) for schedule in schedules]
    batches = [items[at : at + BATCH] for at in range(0, len(items), BATCH)] or [[]]
    for number, batch in enumerate(batches, start=1):
        if await partition.script("plan", version, 0, int(number == len(batches)), items=batch) == b"RELOAD":
            return


async def time_at(partition: Partition) -> int:
    """The time that scripts go by, in ms UTC."""
    if given := partition.clock.argument():
        return int(given)
    seconds, micros = await partition.read("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def _item(what: str, schedule: Schedule, now: int) -> Item:
    upcoming = schedule.after(now)
    return what, schedule.id, upcoming, schedule.due(upcoming), ""


def _carried(schedule: Schedule, known: str) -> Item:
    upcoming = ScheduleState.parse(known.encode()).next
    return "add", schedule.id, upcoming, schedule.due(upcoming) if upcoming else 0, known


async def _states_in(partitions: Sequence[Partition], ids: Sequence[str]) -> dict[str, str]:
    """What partitions know of schedules, of those that they have."""
    found: dict[str, str] = {}
    for partition in partitions:
        texts: Sequence[bytes | None] = await partition.read("HMGET", partition.keys.name("k_schedules"), *ids)
        found.update({id: text.decode() for id, text in zip(ids, texts, strict=True) if text})
    return found
