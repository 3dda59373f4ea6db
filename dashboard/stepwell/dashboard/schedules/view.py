"""What the pages of schedules show."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stepwell.dashboard.address import with_query
from stepwell.dashboard.schedules.times import shown_time
from stepwell.dashboard.wording.clocks import Fire, fires
from stepwell.dashboard.wording.durations import DAY, span
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.functions.triggers import CatchUp, Overlap
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.cron.schedules import ScheduleView
from stepwell.platform.installation import Installation

PAGE = 50
"""Schedules of a page: each is a read of its own."""
TIMES = 5
OVERLAPS: Mapping[Overlap, str] = MappingProxyType(
    {
        "allow": "The next run starts although the one before has not ended.",
        "skip": "A time at which the run before has not ended is left out.",
        "queue": "A time at which the run before has not ended waits until it has.",
        "cancel_old": "The run before is cancelled when the next one starts.",
    }
)
CATCH_UPS: Mapping[CatchUp, str] = MappingProxyType(
    {
        "none": "Times at which nothing could start a run are not made up for.",
        "last": "Of the times at which nothing could start a run, the last one is made up for",
        "all": "All times at which nothing could start a run are made up for",
    }
)


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule. `run` is the last that it has started, `fired` when it did, `left_out` what somebody has skipped."""

    id: str
    function: str
    cron: str
    tz: str
    state: Tone
    paused: Moment | None
    upcoming: tuple[Fire, ...]
    left_out: Fire | None
    fired: Moment | None
    run: str | None
    missed: int
    skipped: int
    held: int
    overlap: str


@dataclass(frozen=True, slots=True)
class SchedulesView:
    """The list. `any` is whether there is a schedule at all; `before` and `after` lead to the pages beside it."""

    text: str
    found: int
    any: bool
    rows: tuple[ScheduleRow, ...]
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class SchedulePageView:
    """The page of a schedule. `begin` is what a backfill is suggested to begin with, by the clocks of its zone.

    `started` and `existing` are what the backfill has done after which one comes here; `None` otherwise.
    """

    row: ScheduleRow
    overlap: str
    catch_up: str
    jitter: str
    known: bool
    last: Moment | None
    begin: str
    runs: str
    started: int | None
    existing: int | None


async def schedules_view(installation: Installation, text: str, page: int) -> SchedulesView:
    """Reads a page of the schedules that have `text` in their function, expression or zone."""
    snapshot = await installation.registry.load()
    known = snapshot.schedules
    ids = sorted(id for id, one in known.items() if _has(one, text.lower()))
    start, now = (page - 1) * PAGE, installation.clock.now()
    views = await installation.schedules.some(ids[start : start + PAGE])
    return SchedulesView(
        text=text,
        found=len(ids),
        any=bool(known),
        rows=tuple(_row(view, 1, now) for view in views),
        before=_url(text, page - 1) if page > 1 else None,
        after=_url(text, page + 1) if start + PAGE < len(ids) else None,
    )


def _has(schedule: Schedule, text: str) -> bool:
    return text in f"{schedule.function} {schedule.cron} {schedule.tz}".lower()


def _url(text: str, page: int) -> str:
    return with_query("/schedules", {"q": text, "page": page if page > 1 else None})


async def schedule_view(
    installation: Installation, id: str, started: int | None, existing: int | None
) -> SchedulePageView | None:
    """Reads a schedule; `None` when there is none of this id."""
    view = await installation.schedules.get(id)
    if view is None:
        return None
    schedule, now = view.schedule, installation.clock.now()
    return SchedulePageView(
        row=_row(view, TIMES, now),
        overlap=OVERLAPS[schedule.overlap],
        catch_up=_catch_up(schedule),
        jitter=f"up to {span(schedule.jitter)} later" if schedule.jitter else "none",
        known=schedule.known,
        last=past(view.state.last, now) if view.state.last else None,
        begin=_begin(schedule, now),
        runs=with_query("/runs", {"function": schedule.function}),
        started=started,
        existing=existing,
    )


def _begin(schedule: Schedule, now: int) -> str:
    """A day ago, at midnight of the zone's clocks."""
    return f"{shown_time(now - DAY, schedule.tz)[:10]}T00:00" if schedule.known else ""


def _catch_up(schedule: Schedule) -> str:
    text = CATCH_UPS[schedule.catch_up]
    return text if schedule.catch_up == "none" else f"{text}, unless it is older than {span(schedule.window)}."


def _row(view: ScheduleView, times: int, now: int) -> ScheduleRow:
    schedule, state = view.schedule, view.state
    known = schedule.known
    return ScheduleRow(
        id=schedule.id,
        function=schedule.function,
        cron=schedule.cron,
        tz=schedule.tz,
        state=_state(view),
        paused=past(state.paused, now) if state.paused else None,
        upcoming=fires(view.upcoming(times), schedule.tz, now),
        left_out=fires([state.skip], schedule.tz, now)[0] if state.skip and known else None,
        fired=past(state.fired, now) if state.fired else None,
        run=None if state.run == "-" else state.run,
        missed=state.missed,
        skipped=state.skipped,
        held=len(state.held),
        overlap=schedule.overlap,
    )


def _state(view: ScheduleView) -> Tone:
    if view.state.paused:
        return Tone("paused", "Paused")
    return Tone("fine", "Active") if view.schedule.known else Tone("warning", "Unknown zone")
