"""What the page of a function shows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from stepwell.dashboard.charts.columns import Columns
from stepwell.dashboard.function.keys import Keys, keys_of
from stepwell.dashboard.functions.state import MEANS, state_of
from stepwell.dashboard.functions.view import Start, outcomes, starts_of
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.clocks import Fire, fires
from stepwell.dashboard.wording.controls import Control, controls_of
from stepwell.dashboard.wording.counts import share
from stepwell.dashboard.wording.durations import DAY, HOUR
from stepwell.dashboard.wording.failures import error_line
from stepwell.dashboard.wording.lengths import Length, executing
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.cron.schedules import ScheduleView
from stepwell.platform.flow.holding import Holding
from stepwell.platform.flow.pausing import Mode, Paused, Pausing
from stepwell.platform.history import FunctionView
from stepwell.platform.installation import Installation
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.rates import Per, Rates
from stepwell.platform.reading.ready import Ready
from stepwell.platform.reading.runs import RunSummary
from stepwell.platform.records import Status
from stepwell.platform.snapshot import Snapshot

LATEST, TIMES, MOST_SCHEDULES = 10, 3, 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What has happened in the last 24 hours."""

    started: int
    completed: int
    failed: int
    retried: int
    failure_rate: str


@dataclass(frozen=True, slots=True)
class Latest:
    """A run of the latest."""

    id: str
    tone: Tone
    event: str | None
    created: Moment
    length: Length | None
    error: str


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule of the function, and its next times."""

    id: str
    cron: str
    tz: str
    paused: bool
    upcoming: tuple[Fire, ...]


@dataclass(frozen=True, slots=True)
class PauseView:
    """How a function is paused, and since when."""

    mode: Mode
    since: Moment
    means: str


@dataclass(frozen=True, slots=True)
class FunctionPageView:
    """The page. `on_failure` and `fails` are ids of the function called when this one fails, and the other way round.

    `ready` is how many runs only wait for somebody to execute them; `served` is where it is called over HTTP.
    """

    id: str
    app: str
    name: str
    version: str
    state: Tone
    paused: PauseView | None
    means: dict[Mode, str]
    moving: bool
    workers: int
    served: str
    runs: int
    ready: str
    starts: tuple[Start, ...]
    controls: tuple[Control, ...]
    on_failure: str | None
    fails: str | None
    schedules: tuple[Planned, ...]
    more_schedules: int
    figures: Figures
    day: Columns
    hour: Columns
    keys: Keys
    latest: tuple[Latest, ...]
    links: tuple[tuple[str, str], ...]


async def function_view(installation: Installation, id: str) -> FunctionPageView | None:
    """Reads a function; `None` when it is not registered."""
    history, now = installation.history, installation.clock.now()
    view = await history.function(id)
    if view is None:
        return None
    snapshot = installation.registry.snapshot
    planned = [schedule.id for schedule in view.function.schedules]
    day, hour, page, ready = await asyncio.gather(
        history.rates(id, now - DAY, now, Per.HOUR, now),
        history.rates(id, now - HOUR, now, Per.MINUTE, now),
        history.runs(RunFilter(function=id), limit=LATEST),
        history.ready(id),
    )
    paused, keys, schedules = await asyncio.gather(
        Pausing(installation.partitions, installation.registry).all(),
        keys_of(Holding(installation.partitions), view.function, now),
        installation.schedules.some(planned[:MOST_SCHEDULES]),
    )
    read = _Read(paused.get(id), day, hour, page.items, keys, ready, schedules)
    return _view(view, snapshot, read, now)


@dataclass(frozen=True, slots=True)
class _Read:
    paused: Paused | None
    day: Rates
    hour: Rates
    latest: Sequence[RunSummary]
    keys: Keys
    ready: Ready
    schedules: Sequence[ScheduleView]


def _view(view: FunctionView, snapshot: Snapshot, read: _Read, now: int) -> FunctionPageView:
    function, moving = view.function, view.function.id in snapshot.moves
    handler, subject = f"{function.id}.on_failure", function.id.removesuffix(".on_failure")
    return FunctionPageView(
        id=function.id,
        app=function.app,
        name=function.manifest.id,
        version=function.version,
        state=state_of(read.paused, view.workers, moving=moving),
        paused=_paused(read.paused, now),
        means=MEANS,
        moving=moving,
        workers=view.workers,
        served=function.manifest.url or "",
        runs=view.runs,
        ready=f"{read.ready.runs:,}{'+' if read.ready.cut else ''}",
        starts=starts_of(function),
        controls=controls_of(function.manifest),
        on_failure=handler if handler in snapshot.functions else None,
        fails=subject if subject != function.id and subject in snapshot.functions else None,
        schedules=tuple(_planned(one, now) for one in read.schedules),
        more_schedules=len(function.schedules) - len(read.schedules),
        figures=_figures(read.day),
        day=outcomes(read.day),
        hour=outcomes(read.hour),
        keys=read.keys,
        latest=tuple(_latest(one, now) for one in read.latest),
        links=_links(function.id),
    )


def _paused(paused: Paused | None, now: int) -> PauseView | None:
    return PauseView(paused.mode, past(paused.since, now), MEANS[paused.mode]) if paused else None


def _planned(view: ScheduleView, now: int) -> Planned:
    planned = view.schedule
    upcoming = fires(view.upcoming(TIMES), planned.tz, now)
    return Planned(planned.id, planned.cron, planned.tz, bool(view.state.paused), upcoming)


def _figures(rates: Rates) -> Figures:
    started = sum(point.started for point in rates.points)
    completed = sum(point.completed for point in rates.points)
    failed = sum(point.failed for point in rates.points)
    retried = sum(point.retried for point in rates.points)
    return Figures(started, completed, failed, retried, share(failed, completed + failed))


def _links(id: str) -> tuple[tuple[str, str], ...]:
    wanted: tuple[tuple[str, Status | None], ...] = (
        ("All", None),
        ("Failed", Status.FAILED),
        ("Waiting", Status.WAITING),
        ("Queued", Status.QUEUED),
    )
    filters = [(label, {"status": status.value} if status else {}) for label, status in wanted]
    return tuple((label, f"/runs?{urlencode(given | {'function': id})}") for label, given in filters)


def _latest(summary: RunSummary, now: int) -> Latest:
    run = summary.run
    return Latest(
        id=run.id,
        tone=tone.of_run(run),
        event=summary.event_name,
        created=past(summary.created, now),
        length=executing(run, now),
        error=error_line(summary.run) or "",
    )
