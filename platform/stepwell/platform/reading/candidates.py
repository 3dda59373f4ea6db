"""Where the runs that a filter wants can be found: the smallest indexes that hold all of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import is_id
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.headers import runs_of_event
from stepwell.platform.records import Status


@dataclass(frozen=True, slots=True)
class RunIndex:
    """A sorted set of run ids in one partition; those from `oldest` to before `end` count."""

    partition: Partition
    key: str
    oldest: str
    end: str

    async def below(self, bound: str | None, count: int) -> list[str]:
        """See `Index.below`."""
        newest = f"({min(bound, self.end) if bound else self.end}"
        newest_first = ("ZREVRANGEBYLEX", self.key, newest, self._from, "LIMIT", 0, count)
        return [run.decode() for run in await self.partition.read(*newest_first)]

    async def size(self) -> int:
        """How many there are."""
        size: int = await self.partition.read("ZLEXCOUNT", self.key, self._from, f"({self.end}")
        return size

    @property
    def _from(self) -> str:
        return f"[{self.oldest}" if self.oldest else "-"


@dataclass(frozen=True, slots=True)
class KnownRuns:
    """Run ids that need not be looked for, newest first."""

    ids: tuple[str, ...]

    async def below(self, bound: str | None, count: int) -> list[str]:
        """See `Index.below`."""
        return [id for id in self.ids if bound is None or id < bound][:count]

    async def size(self) -> int:
        """How many there are."""
        return len(self.ids)


Candidates = RunIndex | KnownRuns


async def candidates_of(partitions: Sequence[Partition], wanted: RunFilter) -> list[Candidates]:
    """The indexes, which have no run in common."""
    if wanted.event_id is not None:
        return [await _of_event(partitions, wanted, wanted.event_id)]
    found = await asyncio.gather(*[_keys(partition, wanted) for partition in partitions])
    pairs = zip(partitions, found, strict=True)
    return [RunIndex(partition, key, wanted.oldest, wanted.end) for partition, keys in pairs for key in keys]


async def size_of(candidates: Sequence[Candidates]) -> int:
    """How many runs are in the indexes."""
    return sum(await asyncio.gather(*[index.size() for index in candidates]))


async def _of_event(partitions: Sequence[Partition], wanted: RunFilter, event: str) -> KnownRuns:
    if not is_id(event):
        return KnownRuns(())
    # A partition that has runs of an event keeps it for them, also when it is gone from where it was accepted.
    told = await asyncio.gather(*[runs_of_event(partition, event) for partition in partitions])
    ids = {id for runs in told for id in runs if wanted.oldest <= id < wanted.end}
    return KnownRuns(tuple(sorted(ids, reverse=True)))


async def _keys(partition: Partition, wanted: RunFilter) -> list[str]:
    keys = partition.keys
    match wanted.status:
        case Status.QUEUED | Status.RUNNING | Status.WAITING:
            return [keys.name("k_live")]
        case None if wanted.ended is False:
            return [keys.name("k_live")]
        case Status.FAILED | Status.CANCELLED:
            return [keys.name("k_outcome", wanted.status)]
        case _ if wanted.function:
            return [keys.name("k_runs_of", wanted.function)] if wanted.allows_function(wanted.function) else []
        case _:
            functions = [name.decode() for name in await partition.read("SMEMBERS", keys.name("k_functions"))]
            return [keys.name("k_runs_of", name) for name in functions if wanted.allows_function(name)]
