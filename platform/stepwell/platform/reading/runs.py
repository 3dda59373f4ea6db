"""Pages of runs, newest first, out of the indexes of all partitions."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import is_id, partition_of, time_of
from stepwell.platform.reading import where
from stepwell.platform.reading.candidates import candidates_of, size_of
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.headers import event_name, headers_of
from stepwell.platform.reading.newest import newest
from stepwell.platform.reading.pages import MOST_EXAMINED, BadCursor, Page
from stepwell.platform.reading.where import Judge
from stepwell.platform.records import RunRecord, Status

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run without what may be large: `run` has no output, and an error only when it has failed."""

    run: RunRecord
    event_name: str | None

    @property
    def created(self) -> int:
        """When its event was received, ms UTC; the order of runs is that of their ids, which hold this time."""
        return time_of(self.run.id)


class _Found(NamedTuple):
    """A run of a page, and what had been looked at, and could not be decided, up to it."""

    summary: RunSummary
    searched: int
    undecided: int


@dataclass(slots=True)
class _Scan:
    """What a page has so far: one more than its limit tells that there are more. `last`: id looked at last."""

    wanted: RunFilter
    limit: int
    judge: Judge | None
    found: list[_Found] = field(default_factory=list[_Found])
    examined: int = 0
    last: str = ""

    @property
    def done(self) -> bool:
        return len(self.found) > self.limit or self.examined >= MOST_EXAMINED or self.late

    @property
    def late(self) -> bool:
        return self.judge is not None and self.examined > 0 and self.judge.late

    @property
    def undecided(self) -> int:
        return self.judge.undecided if self.judge else 0

    def take(self, summary: RunSummary, values: dict[str, Any]) -> None:
        """Looks at a run, which is as wanted but for the expression."""
        if self.judge is None or self.judge.finds(values):
            self.found.append(_Found(summary, self.examined, self.undecided))

    def page(self, total: int, *, more: bool) -> Page[RunSummary]:
        found = self.found[: self.limit]
        items = tuple(one.summary for one in found)
        if len(self.found) > self.limit:
            last = found[-1]
            return Page(items, last.summary.run.id, last.searched, total, last.undecided)
        return Page(items, self.last if more else None, self.examined, total, self.undecided)


class RunPages:
    """Lists of runs of all `partitions`."""

    __slots__ = ("_partitions",)

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    async def page(self, wanted: RunFilter, cursor: str | None, limit: int) -> Page[RunSummary]:
        """Up to `limit` runs behind `cursor`. Raises `BadCursor`."""
        if cursor is not None and not is_id(cursor):
            raise BadCursor(cursor)
        candidates = await candidates_of(self._partitions, wanted)
        scan = _Scan(wanted, limit, Judge.of(wanted.where) if wanted.where else None)
        more = await self._scan(scan, newest(candidates, cursor))
        return await self._whole(scan.page(await size_of(candidates), more=more))

    async def _scan(self, scan: _Scan, merged: AsyncGenerator[list[str]]) -> bool:
        """Looks at what comes until the page is done; answers whether there may be more."""
        at_once = where.AT_ONCE if scan.judge else AT_ONCE
        async with aclosing(merged) as batches:
            async for batch in batches:
                for first in range(0, len(batch), at_once):
                    if scan.done:
                        return True
                    if not await self._examine(scan, batch[first : first + at_once]):
                        return True
        return False

    async def _examine(self, scan: _Scan, ids: Sequence[str]) -> bool:
        """Looks at some more; answers whether at all of them."""
        headers = await headers_of(self._partitions, ids)
        runs = [run for run in headers if run and scan.wanted.allows(run)]
        found = await self._named(scan.wanted, runs)
        before, places = scan.examined, {id: place for place, id in enumerate(ids, 1)}
        for one, values in zip(found, await self._values(scan, found), strict=True):
            scan.examined, scan.last = before + places[one.run.id], one.run.id
            scan.take(one, values)
            if scan.late and one.run.id != ids[-1]:
                return False
        scan.examined, scan.last = before + len(ids), ids[-1]
        return True

    async def _values(self, scan: _Scan, found: Sequence[RunSummary]) -> Sequence[dict[str, Any]]:
        if scan.judge is None:
            return [dict[str, Any]() for _ in found]
        return await scan.judge.values_of(self._partitions, [one.run for one in found])

    async def _named(self, wanted: RunFilter, runs: Sequence[RunRecord]) -> list[RunSummary]:
        """Those whose events have the name that is wanted; when any will do, names are read for what is found alone."""
        if wanted.event is None:
            return [RunSummary(run, None) for run in runs]
        return [found for found in await self.summaries(runs) if found.event_name == wanted.event]

    async def summaries(self, runs: Sequence[RunRecord]) -> list[RunSummary]:
        """The runs with the names of their events."""
        names = await asyncio.gather(*[event_name(self._partitions[partition_of(run.id)], run.event) for run in runs])
        return [RunSummary(run, name) for run, name in zip(runs, names, strict=True)]

    async def _whole(self, page: Page[RunSummary]) -> Page[RunSummary]:
        """The page with what is not needed to find its runs: errors, and the names of events."""
        named = await self.summaries([summary.run for summary in page.items])
        return replace(page, items=tuple(await asyncio.gather(*map(self._with_error, named))))

    async def _with_error(self, summary: RunSummary) -> RunSummary:
        run = summary.run
        if run.status not in (Status.FAILED, Status.CANCELLED):
            return summary
        home = self._partitions[partition_of(run.id)]
        error: bytes | None = await home.read("HGET", home.keys.name("k_run", run.id), "err")
        return RunSummary(replace(run, error=error or b""), summary.event_name)
