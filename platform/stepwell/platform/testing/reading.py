"""Reading runs and events for a test, in the order in which they came to be."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from stepwell.client import LogLine, Progress, StoredEvent
from stepwell.platform.api.views import run as run_views
from stepwell.platform.history import History, RunView
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.logs import MOST_LINES, KeptProgress
from stepwell.platform.records import EventRecord
from stepwell.platform.testing.run import TestRun


class Reading:
    """What has become of events and runs.

    Args:
        history: of the platform.
        functions: that are served, as `app/function`.
    """

    __slots__ = ("_functions", "_history", "_known")

    def __init__(self, history: History, functions: Sequence[str]) -> None:
        self._history = history
        self._functions = ", ".join(sorted(functions)) or "none"
        self._known = frozenset(functions)

    def check(self, function: str | None) -> None:
        """Raises `LookupError` when a function is named that is not served."""
        if function is not None and function not in self._known:
            raise LookupError(f"there is no function {function!r}; the functions are: {self._functions}")

    async def run(self, id: str) -> TestRun:
        """A run. Raises `LookupError` when there is none of this id."""
        view = await self._history.run(id)
        if view is None:
            raise LookupError(f"there is no run {id!r}: the id of an event or of a step is not that of a run")
        return await self._seen(view)

    async def run_of(self, event: str, function: str | None) -> TestRun:
        """The one run that an event has started, of one function or of any. Raises `LookupError` when it is not one."""
        found = await self.runs_of(event, function)
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(run.function for run in found)
            raise LookupError(f"the event has started {len(found)} runs: say function= whose is wanted: {names}")
        whose = f"of {function}" if function else f"at all; the functions are: {self._functions}"
        record = await self._history.event(event)
        why = [f"{name}: {refusal.text}" for name, refusal in record.refusals] if record else []
        raise LookupError(f"the event has started no run {'; '.join(why) or whose}")

    async def runs_of(self, event: str, function: str | None) -> list[TestRun]:
        """The runs that an event has started, by function. Raises `LookupError` when there is no such event."""
        record = await self._history.event(event)
        if record is None:
            raise LookupError(f"there is no event {event!r}: use the id that `send` gave")
        seen = await self._all(await self._history.event_runs(record))
        return [run for run in seen if function in (None, run.function)]

    async def runs(self, function: str | None) -> list[TestRun]:
        """All runs, or those of one function, in the order of their events."""
        found = [view for view in await asyncio.gather(*map(self._history.run, await self._ids(function))) if view]
        seen = await self._all(found)
        # Those of one ms came to be in the order of their events; the events of schedules are in no list.
        place = {event.id: index for index, event in enumerate(await self.events(None))}
        created = {view.run.id: view.run.created for view in found}
        return sorted(seen, key=lambda run: (created[run.id], place.get(run.event_id, -1), run.function))

    async def events(self, name: str | None) -> list[StoredEvent]:
        """All events, or those of one name, in the order in which they were accepted."""
        found: list[EventRecord] = []
        cursor: str | None = None
        while True:
            page = await self._history.events(name, cursor=cursor, limit=100)
            found += page.items
            cursor = page.next
            if cursor is None:
                return [_stored(event) for event in reversed(found)]

    async def _ids(self, function: str | None) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._history.runs(RunFilter(function=function), cursor=cursor, limit=100)
            found += [summary.run.id for summary in page.items]
            cursor = page.next
            if cursor is None:
                return found

    async def _all(self, views: Iterable[RunView]) -> list[TestRun]:
        seen = await asyncio.gather(*map(self._seen, views))
        return sorted(seen, key=lambda run: run.function)

    async def _seen(self, view: RunView) -> TestRun:
        rows = await self._history.steps(view.run.id) or []
        children, said = await asyncio.gather(
            self._history.children(view.run.id, rows), self._history.progress(view.run.id)
        )
        steps = [run_views.step(index, row, children.get(row.key), said.get(row.key)) for index, row in enumerate(rows)]
        newest = KeptProgress.parse(view.run.progress)
        progress = Progress(**asdict(newest)) if newest else None
        return TestRun.of(run_views.run(view), steps, tuple(await self._lines(view.run.id)), progress)

    async def _lines(self, run: str) -> list[LogLine]:
        found: list[LogLine] = []
        page = await self._history.logs(run, limit=MOST_LINES)
        while page is not None:
            found += [LogLine(**asdict(line)) for line in page.lines]
            page = None if page.next is None else await self._history.logs(run, after=page.next, limit=MOST_LINES)
        return found


def _stored(event: EventRecord) -> StoredEvent:
    refusals = tuple(
        {"function": function, "reason": refusal.reason, "run": refusal.run or None, "message": refusal.text}
        for function, refusal in event.refusals
    )
    return StoredEvent(event.id, event.name, event.data, event.ts, event.received, event.runs, refusals)
