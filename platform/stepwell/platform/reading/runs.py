"""Pages of runs, newest first, out of the indexes of all partitions."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import encode_id, is_id, partition_of, time_of
from stepwell.platform.reading.headers import event_name, headers_of
from stepwell.platform.reading.newest import newest
from stepwell.platform.reading.pages import MOST_EXAMINED, BadCursor, Page
from stepwell.platform.records import RunRecord, Status

AT_ONCE = 100
_LAST_ID = "8"
"""Comes after every id."""
_LAST_MS = (1 << 48) - 1


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; every part that is given has to hold.

    Args:
        status: their status.
        function: as `app/function`.
        app: id of an app.
        event: name of the event that started them.
        after: created at or after this time, ms UTC.
        before: created before this time, ms UTC.
    """

    status: Status | None = None
    function: str | None = None
    app: str | None = None
    event: str | None = None
    after: int | None = None
    before: int | None = None

    def allows_function(self, function: str) -> bool:
        """Whether runs of `function` may be wanted."""
        return self.function in (None, function) and (self.app is None or function.startswith(f"{self.app}/"))

    def allows(self, run: RunRecord) -> bool:
        """Whether all but the event's name is as wanted."""
        return self.status in (None, run.status) and self.allows_function(run.function)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run without what may be large: `run` has no output, and an error only when it has failed."""

    run: RunRecord
    event_name: str | None

    @property
    def created(self) -> int:
        """When its event was received, ms UTC; the order of runs is that of their ids, which hold this time."""
        return time_of(self.run.id)


@dataclass(frozen=True, slots=True)
class RunIndex:
    """A sorted set of run ids in one partition. `oldest` is where to stop: "[" and an id, or "-"."""

    partition: Partition
    key: str
    oldest: str

    async def below(self, bound: str | None, count: int) -> list[str]:
        """See `Index.below`."""
        newest_first = ("ZREVRANGEBYLEX", self.key, f"({bound or _LAST_ID}", self.oldest, "LIMIT", 0, count)
        return [run.decode() for run in await self.partition.read(*newest_first)]


@dataclass(slots=True)
class _Scan:
    """What a page has so far: one more than its limit tells that there are more."""

    limit: int
    found: list[RunSummary]
    examined: int = 0
    last: str = ""

    @property
    def full(self) -> bool:
        return len(self.found) > self.limit

    def page(self, *, more: bool) -> Page[RunSummary]:
        if self.full:
            return Page(tuple(self.found[: self.limit]), self.found[self.limit - 1].run.id)
        return Page(tuple(self.found), self.last if more else None)


class RunPages:
    """Lists of runs of all `partitions`."""

    __slots__ = ("_partitions",)

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    async def page(self, wanted: RunFilter, cursor: str | None, limit: int) -> Page[RunSummary]:
        """Up to `limit` runs behind `cursor`. Raises `BadCursor`."""
        scan = _Scan(limit, [])
        async with aclosing(newest(await self._indexes(wanted), _bound(wanted, cursor))) as batches:
            async for batch in batches:
                for first in range(0, len(batch), AT_ONCE):
                    if scan.full or scan.examined >= MOST_EXAMINED:
                        return await self._with_errors(scan.page(more=True))
                    await self._examine(scan, wanted, batch[first : first + AT_ONCE])
        return await self._with_errors(scan.page(more=False))

    async def _examine(self, scan: _Scan, wanted: RunFilter, ids: Sequence[str]) -> None:
        headers = await headers_of(self._partitions, ids)
        summaries = await self.summaries([run for run in headers if run and wanted.allows(run)])
        scan.examined += len(ids)
        scan.last = ids[-1]
        scan.found += [found for found in summaries if wanted.event in (None, found.event_name)]

    async def summaries(self, runs: Sequence[RunRecord]) -> list[RunSummary]:
        """The runs with the names of their events."""
        names = await asyncio.gather(*[event_name(self._partitions[partition_of(run.id)], run.event) for run in runs])
        return [RunSummary(run, name) for run, name in zip(runs, names, strict=True)]

    async def _with_errors(self, page: Page[RunSummary]) -> Page[RunSummary]:
        return Page(tuple(await asyncio.gather(*map(self._with_error, page.items))), page.next)

    async def _with_error(self, summary: RunSummary) -> RunSummary:
        run = summary.run
        if run.status not in (Status.FAILED, Status.CANCELLED):
            return summary
        home = self._partitions[partition_of(run.id)]
        error: bytes | None = await home.read("HGET", home.keys.name("k_run", run.id), "err")
        return RunSummary(replace(run, error=error or b""), summary.event_name)

    async def _indexes(self, wanted: RunFilter) -> list[RunIndex]:
        oldest = "-" if wanted.after is None else f"[{_first_id(wanted.after)}"
        found = await asyncio.gather(*[_keys(partition, wanted) for partition in self._partitions])
        pairs = zip(self._partitions, found, strict=True)
        return [RunIndex(partition, key, oldest) for partition, keys in pairs for key in keys]


async def _keys(partition: Partition, wanted: RunFilter) -> list[str]:
    """The smallest indexes that hold every run that is wanted."""
    keys = partition.keys
    match wanted.status:
        case Status.QUEUED | Status.RUNNING | Status.WAITING:
            return [keys.name("k_live")]
        case Status.FAILED | Status.CANCELLED:
            return [keys.name("k_outcome", wanted.status)]
        case _ if wanted.function:
            return [keys.name("k_runs_of", wanted.function)] if wanted.allows_function(wanted.function) else []
        case _:
            functions = [name.decode() for name in await partition.read("SMEMBERS", keys.name("k_functions"))]
            return [keys.name("k_runs_of", name) for name in functions if wanted.allows_function(name)]


def _bound(wanted: RunFilter, cursor: str | None) -> str | None:
    if cursor is not None and not is_id(cursor):
        raise BadCursor(cursor)
    before = _first_id(wanted.before) if wanted.before is not None else None
    return min((bound for bound in (cursor, before) if bound is not None), default=None)


def _first_id(ms: int) -> str:
    return encode_id(max(0, min(ms, _LAST_MS)), 0, 0)
