"""What the first page shows."""

import asyncio
from dataclasses import dataclass

from stepwell.dashboard.address import path_to, with_query
from stepwell.dashboard.charts.columns import Columns
from stepwell.dashboard.home.attention import troubles_of
from stepwell.dashboard.home.figures import Figure, begun, ended, figures_of
from stepwell.dashboard.home.query import WINDOWS, HomeQuery, Window
from stepwell.dashboard.home.trouble import Trouble
from stepwell.dashboard.run.waiting import Reason, reason
from stepwell.dashboard.runs.teaching import Lesson, lesson
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.counts import share
from stepwell.dashboard.wording.durations import DAY, elapsed
from stepwell.dashboard.wording.moments import Moment, coming, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.cron.schedules import ScheduleView
from stepwell.platform.doctor.glance import glance
from stepwell.platform.history import RunView
from stepwell.platform.installation import Installation

MOST_TROUBLES = 20
FAILED_RUNS, FAILING_FUNCTIONS, WORST = 100, 50, 5
NEXT = 5


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """A stretch of time to pick."""

    label: str
    url: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Failing:
    """A function of which runs have failed; `percent` is the length of its bar."""

    function: str
    rate: str
    percent: float
    failed: str
    url: str


@dataclass(frozen=True, slots=True)
class Oldest:
    """The oldest run that has not ended, and why not; `why` is `None` when it executes."""

    id: str
    function: str
    tone: Tone
    created: Moment
    age: str
    since: int
    why: Reason | None


@dataclass(frozen=True, slots=True)
class Next:
    """A time at which a schedule fires."""

    schedule: str
    function: str
    cron: str
    at: Moment
    url: str


@dataclass(frozen=True, slots=True)
class HomeView:
    """The page. `lesson` is there when nothing is registered, and nothing else is then."""

    window: Window
    choices: tuple[WindowChoice, ...]
    troubles: tuple[Trouble, ...]
    more_troubles: int
    figures: tuple[Figure, ...]
    started: Columns
    ended: Columns
    failing: tuple[Failing, ...]
    failing_window: str
    oldest: Oldest | None
    upcoming: tuple[Next, ...]
    scheduled: bool
    lesson: Lesson | None


async def home_view(installation: Installation, query: HomeQuery, origin: str, *, dev: bool) -> HomeView:
    """Reads all of it for who asked for it at `origin`."""
    history, now, window = installation.history, installation.clock.now(), query.window
    registry = await installation.registry.load()
    sessions, seen = await asyncio.gather(
        history.workers(),
        glance(installation.store, installation.partitions, installation.settings, installation.clock),
    )
    troubles, rates, counts, failing, oldest, upcoming = await asyncio.gather(
        troubles_of(installation, sessions, seen, now),
        history.rates(None, now - window.length + window.per, now, window.per, now),
        history.counts(),
        _failing(installation, min(window.length, DAY), now),
        _oldest(installation, now),
        installation.schedules.soonest(NEXT),
    )
    bare = not registry.functions and not counts.unfinished and not counts.completed + counts.failed
    return HomeView(
        window=window,
        choices=tuple(WindowChoice(one.label, f"/?within={name}", one is window) for name, one in WINDOWS.items()),
        troubles=tuple(troubles[:MOST_TROUBLES]),
        more_troubles=len(troubles[MOST_TROUBLES:]),
        figures=figures_of(rates, counts, sessions, seen),
        started=begun(rates),
        ended=ended(rates),
        failing=failing,
        failing_window="24 h" if window.length > DAY else window.label,
        oldest=oldest,
        upcoming=tuple(_next(view, now) for view in upcoming),
        scheduled=bool(registry.schedules),
        lesson=lesson(registry.functions, origin, dev=dev) if bare else None,
    )


async def _failing(installation: Installation, length: int, now: int) -> tuple[Failing, ...]:
    """The functions of which the largest share of runs has failed, among those that have failed lately."""
    functions = (await installation.history.failing(FAILED_RUNS))[:FAILING_FUNCTIONS]
    totals = await installation.history.totals(functions, now - length, now)
    rates = [(point.failed / (point.failed + point.completed), name) for name, point in totals.items() if point.failed]
    worst = sorted(rates, key=lambda one: (-one[0], -totals[one[1]].failed, one[1]))[:WORST]
    return tuple(_worst(name, totals[name].failed, totals[name].completed) for _, name in worst)


def _worst(function: str, failed: int, completed: int) -> Failing:
    ended = failed + completed
    url = with_query("/runs", {"status": "failed", "function": function})
    told = f"{failed:,} of {ended:,}"
    return Failing(function, share(failed, ended), round(100 * failed / ended, 2), told, url)


async def _oldest(installation: Installation, now: int) -> Oldest | None:
    found = await installation.history.oldest(1)
    view = await installation.history.run(found[0].id) if found else None
    return _waiting(view, now) if view else None


def _waiting(view: RunView, now: int) -> Oldest:
    run, created = view.run, view.created
    return Oldest(
        id=run.id,
        function=run.function,
        tone=tone.of_run(run),
        created=past(created, now),
        age=elapsed(now - created),
        since=created,
        why=reason(view.waiting_on[0], now) if view.waiting_on else None,
    )


def _next(view: ScheduleView, now: int) -> Next:
    schedule = view.schedule
    at = coming(schedule.due(view.state.next), now)
    cron = f"{schedule.cron} {schedule.tz}"
    return Next(schedule.id, schedule.function, cron, at, path_to("schedules", schedule.id))
