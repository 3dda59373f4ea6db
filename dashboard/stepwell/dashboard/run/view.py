"""What the page of a run shows."""

import asyncio
from dataclasses import dataclass
from uuid import uuid4

from stepwell.dashboard.run.history import HistoryView, history_view
from stepwell.dashboard.run.logs import LogsView, logs_view
from stepwell.dashboard.run.query import RunQuery, Tab
from stepwell.dashboard.run.steps import ProgressView, StepsView, Told, progress_view, steps_view
from stepwell.dashboard.run.timeline import Axis, Bar, Mark, run_bars
from stepwell.dashboard.run.waiting import Waiting, waiting
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.failures import FailureView, failure_view
from stepwell.dashboard.wording.lengths import Length, between, executing
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.payloads import Payload, payload
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.codec import encode
from stepwell.platform.history import RunView
from stepwell.platform.installation import Installation
from stepwell.platform.reading.logs import KeptProgress
from stepwell.platform.records import EventRecord, Status


@dataclass(frozen=True, slots=True)
class RunPageView:
    """The page. `queued` and `active` are `None` until it has come to that; `all_steps` is an address.

    `versions` are those that have executed it, unless that is only its own. `logs` and `history` are there when
    they are looked at.
    `request`: under which doing it again is asked for, however often the button is pressed.
    """

    id: str
    function: str
    version: str
    tone: Tone
    ended: bool
    cancelling: bool
    event_id: str
    event_name: str | None
    batch: int
    created: Moment
    queued: Length
    active: Length | None
    finished: Moment | None
    attempts: int | None
    crashes: int
    waiting: Waiting | None
    error: FailureView | None
    progress: ProgressView | None
    input: Payload | None
    output: Payload | None
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    steps: StepsView
    all_steps: str
    parent: str | None
    rerun_of: str | None
    versions: tuple[str, ...]
    drift: tuple[str, ...]
    tab: Tab
    query: RunQuery
    logs: LogsView | None
    history: HistoryView | None
    request: str

    @property
    def same_error(self) -> str:
        """The expression that is true of runs that have failed like this one."""
        return f"error.type == {encode(self.error.troubles[0].type).decode()}" if self.error else ""


async def run_view(installation: Installation, id: str, query: RunQuery, *, payloads: bool) -> RunPageView | None:
    """Reads a run, its steps and its event, and what else the chosen tab shows. `None` if there is no run.

    Without `payloads` nothing is read of what its code has said: nobody can tell what of that are payloads.
    """
    history, now = installation.history, installation.clock.now()
    known = await history.run(id)
    if known is None:
        return None
    run = known.run
    rows = await history.steps(id, run) or []
    event, children, progress, tries, underway = await asyncio.gather(
        history.event(run.event),
        history.children(id, rows),
        history.progress(id),
        history.tries(id, rows, run),
        history.underway(id, run),
    )
    told = Told(children, progress, tries, underway)
    logs = await logs_view(history, id, known.created, query) if query.tab is Tab.LOGS and payloads else None
    story = await history_view(history, id, known.created, query, now) if query.tab is Tab.HISTORY else None
    axis = Axis.of(run, known.created, rows, now)
    return RunPageView(
        id=run.id,
        function=run.function,
        version=run.version,
        tone=tone.of_run(run),
        ended=run.status.ended,
        cancelling=run.cancel > 0 and not run.status.ended,
        event_id=run.event,
        event_name=known.event_name,
        batch=len(known.events),
        created=past(known.created, now),
        queued=_queued(known, now),
        active=executing(run, now),
        finished=past(run.ended, now) if run.ended else None,
        attempts=run.attempt + 1 if run.started else None,
        crashes=run.crashes,
        waiting=waiting(known.waiting_on, now),
        error=failure_view(run.error) if run.status is Status.FAILED else None,
        progress=None if run.status.ended else progress_view(KeptProgress.parse(run.progress)),
        input=_input(run.id, event),
        output=payload(run.output, f"/runs/{run.id}/payload") if run.output else None,
        marks=axis.marks(),
        bars=run_bars(axis, run),
        steps=steps_view(run.id, rows, told, axis, now, whole=query.steps == "all"),
        all_steps=f"/runs/{run.id}?steps=all",
        parent=run.parent[0] if run.parent else None,
        rerun_of=run.rerun_of,
        versions=() if set(run.versions) <= {run.version} else run.versions,
        drift=run.drift,
        tab=query.tab,
        query=query,
        logs=logs,
        history=story,
        request=uuid4().hex,
    )


def _queued(known: RunView, now: int) -> Length:
    return between(known.created, known.run.started or known.run.ended, now)


def _input(run: str, event: EventRecord | None) -> Payload | None:
    return payload(encode(event.data), f"/runs/{run}/payload?of=input") if event else None
