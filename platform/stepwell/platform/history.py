"""Reads for API, dashboard and command line: runs, steps, events, functions, counts. Nothing here writes."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stepwell.platform.engine.partition import Partition
from stepwell.platform.expressions import Expression
from stepwell.platform.ids import partition_of, time_of
from stepwell.platform.reading.counts import Counts, WorkerSession, counts_of, workers_of
from stepwell.platform.reading.depths import Depth, depths_of, served_by
from stepwell.platform.reading.events import EventFilter, EventPages
from stepwell.platform.reading.executing import held_by
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.headers import event_name, events_of, header_of, headers_of, home_in, whole_of
from stepwell.platform.reading.logs import KeptProgress, LogPage, log_of, progress_of
from stepwell.platform.reading.noted import Try
from stepwell.platform.reading.oldest import failing_of, oldest_of
from stepwell.platform.reading.pages import MOST_ITEMS, Page
from stepwell.platform.reading.rates import Per, Point, Rates, rates_of
from stepwell.platform.reading.ready import Ready, ready_of
from stepwell.platform.reading.runs import RunPages, RunSummary
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.reading.stored import Stored, stored_of
from stepwell.platform.reading.story import Story, story_of
from stepwell.platform.reading.totals import totals_of
from stepwell.platform.reading.tries import tries_of
from stepwell.platform.reading.undelivered import undelivered
from stepwell.platform.reading.underway import Underway, underway_in
from stepwell.platform.reading.wait import Wait
from stepwell.platform.reading.waiting import waits_of
from stepwell.platform.records import EventRecord, RunRecord, StepRow
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.store.keys import wake_channel

NOTHING: Mapping[str, RunRecord] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with all that is known of it but its steps. `waiting_on` is empty when it is running or has ended.

    `events`: ids of all its events, oldest first; as many as a batch may have.
    """

    run: RunRecord
    event_name: str | None
    waiting_on: tuple[Wait, ...]
    events: tuple[str, ...]

    @property
    def created(self) -> int:
        """When its event was received, ms UTC."""
        return time_of(self.run.id)


@dataclass(frozen=True, slots=True)
class FunctionView:
    """A registered function, how many of its runs are kept, and how many workers listen for them."""

    function: RegisteredFunction
    runs: int
    workers: int


class History:
    """Reads of all `partitions`. Every method may raise `StoreUnavailable`."""

    __slots__ = ("_events", "_partitions", "_registry", "_runs")

    def __init__(self, partitions: Sequence[Partition], registry: Registry) -> None:
        self._partitions = partitions
        self._registry = registry
        self._runs = RunPages(partitions)
        self._events = EventPages(partitions)

    async def run(self, id: str) -> RunView | None:
        """A run; `None` when there is none of this id, or it is not kept any more."""
        home = home_in(self._partitions, id)
        record = await whole_of(home, id) if home else None
        return await self._view(record) if record else None

    async def _view(self, run: RunRecord) -> RunView:
        home = self._partitions[partition_of(run.id)]
        name, waits, events = await asyncio.gather(
            event_name(home, run.event), waits_of(home, self._partitions[0], run), events_of(home, run)
        )
        return RunView(run, name, tuple(waits), events)

    async def _header(self, id: str) -> RunRecord | None:
        home = home_in(self._partitions, id)
        return await header_of(home, id) if home else None

    async def steps(self, id: str, known: RunRecord | None = None) -> list[StepRow] | None:
        """The steps of a run in the order in which they began; `None` when there is no such run.

        Here and below, `known` is the run when it has been read already; its header is then not read again.
        """
        record = known or await self._header(id)
        return await steps_of(self._partitions[partition_of(id)], record) if record else None

    async def children(self, id: str, steps: Iterable[StepRow]) -> dict[str, str]:
        """Key of a step -> the run that it has invoked, of the steps of a run."""
        home = home_in(self._partitions, id)
        keys = [step.key for step in steps if step.kind == "invoke"]
        if not home or not keys:
            return {}
        found: list[bytes | None] = await home.read("HMGET", home.keys.name("k_run", id), *[f"k:{key}" for key in keys])
        return {key: child.decode() for key, child in zip(keys, found, strict=True) if child}

    async def tries(self, id: str, steps: Sequence[StepRow], known: RunRecord | None = None) -> dict[str, list[Try]]:
        """Key of a step -> its failed attempts, oldest first, of the steps of a run that have any."""
        record = known or await self._header(id)
        return await tries_of(self._partitions[partition_of(id)], record, steps) if record else {}

    async def underway(self, id: str, known: RunRecord | None = None) -> dict[str, Underway]:
        """Key of a step -> its body that executes, of the steps of a run that take longer than a moment."""
        record = known or await self._header(id)
        return await underway_in(self._partitions[partition_of(id)], record) if record else {}

    async def story(self, id: str, now: int) -> Story | None:
        """What has happened to a run, and where its time went until `now`, ms UTC; `None`: there is no such run."""
        home = home_in(self._partitions, id)
        return await story_of(home, id, now) if home else None

    async def logs(self, id: str, *, after: int = 0, limit: int = 100) -> LogPage | None:
        """Up to `limit` lines of a run behind the one of number `after`, oldest first; `None`: there is no such run."""
        home = home_in(self._partitions, id)
        return await log_of(home, id, after, limit) if home else None

    async def progress(self, id: str) -> dict[str, KeptProgress]:
        """Key of a step -> how far it has come, of the steps of a run that say so."""
        home = home_in(self._partitions, id)
        return await progress_of(home, id) if home else {}

    async def runs(self, wanted: RunFilter, *, cursor: str | None = None, limit: int = 50) -> Page[RunSummary]:
        """Up to `limit` (at most 100) runs, newest first, behind `cursor`. Raises `BadCursor`.

        At most 2,000 runs are looked at, and for an expression as many as that can be done for in 200 ms: where few are
        wanted, a page may be short or empty and still have a `next`.
        """
        return await self._runs.page(wanted, cursor, min(limit, MOST_ITEMS))

    async def event(self, id: str) -> EventRecord | None:
        """An event; `None` when there is none of this id, or it is not kept any more."""
        home = home_in(self._partitions, id)
        record: bytes | None = await home.read("GET", home.keys.name("k_event", id)) if home else None
        return EventRecord.parse(id, record) if record else None

    async def event_runs(self, event: EventRecord) -> list[RunView]:
        """The runs that an event started and that are kept, also those on their way to another partition."""
        # In this order: what is delivered between the two is then found as a run.
        travelling = await self._travelling(event.id, event.runs)
        known = await asyncio.gather(*[self.run(id) for id in event.runs])
        names = zip(event.runs, known, strict=True)
        views = [view or _on_its_way(travelling.get(id), event) for id, view in names]
        return [view for view in views if view]

    async def headers(self, events: Sequence[EventRecord], most: int) -> dict[str, RunRecord]:
        """The first `most` runs of each of these events that are kept, also those on their way, without what is large.

        By run id: without output and error.
        """
        asked = {event.id: event.runs[:most] for event in events}
        wanted = list(dict.fromkeys([run for runs in asked.values() for run in runs]))
        read = await headers_of(self._partitions, wanted)
        known = {run.id: run for run in read if run}
        missing = {event: [run for run in runs if run not in known] for event, runs in asked.items()}
        away = await asyncio.gather(*[self._travelling(event, runs) for event, runs in missing.items() if runs])
        return {**known, **{id: run for runs in away for id, run in runs.items()}}

    async def ended_runs(
        self, event: str, name: str, runs: Sequence[str], known: Mapping[str, RunRecord] = NOTHING
    ) -> list[RunView] | None:
        """Those of the `runs` of an event that are kept; `None` as long as one of them has not ended.

        Args:
            event: id of the event.
            name: of the event.
            runs: ids of all that it has started.
            known: runs that have ended, which need not be read.
        """
        travelling = await self._travelling(event, [id for id in runs if id not in known])
        read = await self._whole([id for id in runs if id not in known])
        found = [known.get(id) or read.get(id) or travelling.get(id) for id in runs]
        if any(run and not run.status.ended for run in found):
            return None
        ended = [run for run in found if run]
        return [RunView(run, name, (), await events_of(self._partitions[partition_of(run.id)], run)) for run in ended]

    async def _whole(self, runs: Sequence[str]) -> dict[str, RunRecord]:
        records = await asyncio.gather(*[whole_of(self._partitions[partition_of(id)], id) for id in runs])
        return {record.id: record for record in records if record}

    async def _travelling(self, event: str, runs: Iterable[str]) -> dict[str, RunRecord]:
        here = partition_of(event)
        away = sorted({partition_of(run) for run in runs} - {here})
        found = await asyncio.gather(*[undelivered(self._partitions[here], event, target) for target in away])
        return {id: run for runs in found for id, run in runs.items()}

    async def events(
        self, name: str | None = None, *, where: Expression | None = None, cursor: str | None = None, limit: int = 50
    ) -> Page[EventRecord]:
        """Up to `limit` (at most 100) events, newest first, behind `cursor`; of one `name`, or all. Raises `BadCursor`.

        A page ends early after 4 MiB of data, 2,000 events that were looked at, or 200 ms for an expression.
        """
        return await self._events.page(EventFilter(name, where), cursor, min(limit, MOST_ITEMS))

    async def functions(self, ids: Iterable[str] | None = None) -> list[FunctionView]:
        """The registered functions by id; only those of `ids` if these are given."""
        known = (await self._registry.load()).functions
        wanted = known if ids is None else set(ids) & set(known)
        return list(await asyncio.gather(*[self._function(known[id]) for id in sorted(wanted)]))

    async def ready(self, function: str) -> Ready:
        """How many runs of a function only wait for somebody to execute them."""
        return await ready_of(self._partitions, function)

    async def function(self, id: str) -> FunctionView | None:
        """The function `app/function`; `None` when it is not registered."""
        found = (await self._registry.load()).functions.get(id)
        return await self._function(found) if found else None

    async def _function(self, function: RegisteredFunction) -> FunctionView:
        keys = [(partition, partition.keys.name("k_runs_of", function.id)) for partition in self._partitions]
        served, *runs = await asyncio.gather(
            self._partitions[0].read("PUBSUB", "NUMSUB", wake_channel(function.id)),
            *[partition.read("ZCARD", key) for partition, key in keys],
        )
        return FunctionView(function, sum(runs), served[1])

    async def functions_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Run id -> `app/function`, of the runs that are kept."""
        homes = [(id, home) for id in ids if (home := home_in(self._partitions, id))]
        headers = await asyncio.gather(*[header_of(home, id) for id, home in homes])
        return {run.id: run.function for run in headers if run}

    async def rates(self, function: str | None, after: int, before: int, per: Per, now: int) -> Rates:
        """What happened from `after` to `before`, of one function or of all. Raises `LongRange`."""
        return await rates_of(self._partitions, function, after, before, per, now)

    async def counts(self) -> Counts:
        """How many runs there are by status."""
        return await counts_of(self._partitions)

    async def depths(self, functions: Sequence[str]) -> dict[str, Depth]:
        """How much there is to do of each of some functions, as `app/function`."""
        return await depths_of(self._partitions, functions)

    async def served(self, functions: Sequence[str]) -> dict[str, int]:
        """How many workers listen for the runs of each of some functions."""
        return await served_by(self._partitions[0], functions)

    async def oldest(self, count: int) -> list[RunRecord]:
        """The oldest runs that have not ended, oldest first, without output and error."""
        return await oldest_of(self._partitions, count)

    async def failing(self, count: int) -> list[str]:
        """The functions of the latest `count` runs that have failed and are kept, each once."""
        return await failing_of(self._partitions, count)

    async def totals(self, functions: Sequence[str], after: int, before: int) -> dict[str, Point]:
        """What happened of each of some functions in all minutes from `after` to before `before`, ms UTC."""
        return await totals_of(self._partitions, functions, after, before)

    async def stored(self) -> Stored:
        """How much is kept besides runs."""
        return await stored_of(self._partitions)

    async def held(self, sessions: Sequence[str]) -> dict[str, list[str]]:
        """The runs that workers have, by the id of their session."""
        return await held_by(self._partitions, sessions)

    async def workers(self) -> list[WorkerSession]:
        """The workers that have leased runs lately and were not declared dead."""
        return await workers_of(self._partitions)


def _on_its_way(run: RunRecord | None, event: EventRecord) -> RunView | None:
    if run is None:
        return None
    delay = (Wait("start", until=run.notbefore),) if run.notbefore else ()
    return RunView(run, event.name, delay, (event.id,))
