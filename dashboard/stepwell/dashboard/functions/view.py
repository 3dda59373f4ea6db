"""What the list of functions shows."""

import asyncio
from dataclasses import dataclass

from stepwell.dashboard.address import with_query
from stepwell.dashboard.charts.columns import Columns, columns
from stepwell.dashboard.functions.state import state_of
from stepwell.dashboard.runs.teaching import Lesson, lesson
from stepwell.dashboard.wording.controls import controls_of
from stepwell.dashboard.wording.durations import DAY
from stepwell.dashboard.wording.tone import Tone
from stepwell.functions.protocol import TriggerManifest
from stepwell.platform.flow.pausing import Paused, Pausing
from stepwell.platform.history import FunctionView
from stepwell.platform.installation import Installation
from stepwell.platform.reading.rates import Per, Rates
from stepwell.platform.snapshot import RegisteredFunction

PAGE = 50
"""Functions of a page: the rates of each are a read of their own."""
MOST_TRIGGERS, MOST_CONTROLS = 3, 3
MOST_SUGGESTIONS = 500


@dataclass(frozen=True, slots=True)
class Start:
    """What starts a function. `kind` is "event" or "cron", `more` its condition or zone."""

    kind: str
    text: str
    more: str


@dataclass(frozen=True, slots=True)
class Row:
    """A function in the list. `spark` is what became of its runs in each of the last 24 hours."""

    id: str
    name: str
    state: Tone
    starts: tuple[Start, ...]
    more_starts: int
    workers: int
    runs: int
    started: int
    failed: int
    spark: Columns
    controls: tuple[tuple[str, str], ...]
    more_controls: int


@dataclass(frozen=True, slots=True)
class AppRows:
    """The functions of an app."""

    id: str
    version: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class FunctionsView:
    """The page. `before` and `after` lead to the pages beside it; `lesson` is there when none is registered."""

    text: str
    app: str
    apps: tuple[str, ...]
    found: int
    first: int
    groups: tuple[AppRows, ...]
    before: str | None
    after: str | None
    lesson: Lesson | None


async def functions_view(installation: Installation, text: str, app: str, page: int, *, dev: bool) -> FunctionsView:
    """Reads a page of the functions that have `text` in their id or in what starts them, of one `app` or of all."""
    snapshot = await installation.registry.load()
    ids = sorted(id for id, one in snapshot.functions.items() if app in ("", one.app) and _has(one, text.lower()))
    start = (page - 1) * PAGE
    wanted = ids[start : start + PAGE]
    now = installation.clock.now()
    views, paused = await asyncio.gather(
        installation.history.functions(wanted), Pausing(installation.partitions, installation.registry).all()
    )
    shown = [view.function.id for view in views]
    rates = await asyncio.gather(*[installation.history.rates(id, now - DAY, now, Per.HOUR, now) for id in shown])
    rows = [
        _row(view, paused.get(id), found, moving=id in snapshot.moves)
        for id, view, found in zip(shown, views, rates, strict=True)
    ]
    return FunctionsView(
        text=text,
        app=app,
        apps=tuple(sorted(snapshot.apps)[:MOST_SUGGESTIONS]),
        found=len(ids),
        first=start + 1,
        groups=tuple(_groups(views, rows)),
        before=_url(text, app, page - 1) if page > 1 else None,
        after=_url(text, app, page + 1) if start + PAGE < len(ids) else None,
        lesson=None if snapshot.functions else lesson({}, "", dev=dev),
    )


def _url(text: str, app: str, page: int) -> str:
    return with_query("/functions", {"q": text, "app": app, "page": page if page > 1 else None})


def _has(function: RegisteredFunction, text: str) -> bool:
    return not text or text in function.id.lower() or any(text in start.lower() for start in function.starts)


def _groups(views: list[FunctionView], rows: list[Row]) -> list[AppRows]:
    versions = {view.function.app: view.function.version for view in views}
    return [
        AppRows(app, version, tuple(row for row in rows if row.id.partition("/")[0] == app))
        for app, version in versions.items()
    ]


def starts_of(function: RegisteredFunction) -> tuple[Start, ...]:
    """All that starts it: events, and schedules."""
    triggers = function.manifest.triggers
    events = [Start("event", one.event, one.if_) for one in triggers if isinstance(one, TriggerManifest)]
    return (*events, *(Start("cron", one.cron, one.tz) for one in function.schedules))


def _row(view: FunctionView, paused: Paused | None, rates: Rates, *, moving: bool) -> Row:
    function = view.function
    starts = starts_of(function)
    controls = {one.brief: one.text for one in controls_of(function.manifest)}
    return Row(
        id=function.id,
        name=function.manifest.id,
        state=state_of(paused, view.workers, moving=moving),
        starts=starts[:MOST_TRIGGERS],
        more_starts=max(0, len(starts) - MOST_TRIGGERS),
        workers=view.workers,
        runs=view.runs,
        started=sum(point.started for point in rates.points),
        failed=sum(point.failed for point in rates.points),
        spark=outcomes(rates),
        controls=tuple(controls.items())[:MOST_CONTROLS],
        more_controls=max(0, len(controls) - MOST_CONTROLS),
    )


def outcomes(rates: Rates) -> Columns:
    """A chart of what became of runs: those that have ended in each stretch of time, by how."""
    counts = [
        (("completed", point.completed), ("cancelled", point.cancelled), ("failed", point.failed))
        for point in rates.points
    ]
    return columns([point.at for point in rates.points], counts, rates.before)
