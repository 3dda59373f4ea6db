"""What the page of workers shows."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepwell.dashboard.address import path_to
from stepwell.dashboard.runs.teaching import Lesson
from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.moments import Moment, coming, past
from stepwell.dashboard.wording.texts import capital
from stepwell.dashboard.wording.tone import Tone
from stepwell.dashboard.workers.state import heard, state_of
from stepwell.platform.engine.cards import Away
from stepwell.platform.installation import Installation
from stepwell.platform.reading.counts import WorkerSession
from stepwell.platform.snapshot import Snapshot

MOST_WORKERS, MOST_RUNS, MOST_UNSERVED = 100, 5, 50
MOST_KNOWN = 5_000


@dataclass(frozen=True, slots=True)
class Executed:
    """A run that a worker has."""

    id: str
    function: str


@dataclass(frozen=True, slots=True)
class AppView:
    """An app that a worker serves. `old` is there when another version of it is registered: that one."""

    id: str
    version: str
    registered: str | None


@dataclass(frozen=True, slots=True)
class AwayView:
    """That an app cannot be reached, since when, and when it is called again."""

    why: str
    since: Moment
    until: Moment


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker. What it does not say of itself is empty.

    Args:
        id: of its session.
        state: how it is.
        name: host and process.
        stepwell: the version of Stepwell it runs.
        apps: that it serves.
        functions: how many.
        suspects: it serves only runs that may have killed their worker.
        served: the address of the app, when it is called over HTTP.
        away: there when it cannot be reached.
        running: runs that it has.
        slots: how many it may have, 0 when that is not known.
        heard: when it was last heard of.
        started: when it began.
        runs: the oldest of those it has.
        hidden: how many more.
    """

    id: str
    state: Tone
    name: str
    stepwell: str
    apps: tuple[AppView, ...]
    functions: str
    suspects: bool
    served: str
    away: AwayView | None
    running: int
    slots: int
    heard: Moment
    started: Moment | None
    runs: tuple[Executed, ...]
    hidden: int


@dataclass(frozen=True, slots=True)
class Unserved:
    """A function that no connected worker serves."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class WorkersView:
    """The page. `hidden` workers and `more_unserved` functions are not shown; `lesson` is there when none is."""

    workers: tuple[WorkerView, ...]
    hidden: int
    busy: str
    unserved: tuple[Unserved, ...]
    more_unserved: int
    lesson: Lesson | None


async def workers_view(installation: Installation, *, dev: bool) -> WorkersView:
    """Reads who is connected, and what each does."""
    history, registry = installation.history, await installation.registry.load()
    known = sorted(registry.functions)[:MOST_KNOWN]
    sessions, served = await asyncio.gather(history.workers(), history.served(known))
    shown = sessions[-MOST_WORKERS:][::-1]
    held = await history.held([session.id for session in shown])
    functions = await history.functions_of([run for runs in held.values() for run in runs[:MOST_RUNS]])
    unserved = [name for name in known if not served[name]]
    expiry, now = int(installation.settings.session_expiry * 1000), installation.clock.now()
    return WorkersView(
        workers=tuple(_worker(session, held[session.id], functions, registry, expiry, now) for session in shown),
        hidden=len(sessions) - len(shown),
        busy=_busy(sessions),
        unserved=tuple(Unserved(name, path_to("functions", name)) for name in unserved[:MOST_UNSERVED]),
        more_unserved=len(unserved[MOST_UNSERVED:]),
        lesson=None if sessions else _lesson(dev=dev),
    )


def _worker(
    session: WorkerSession,
    held: Sequence[str],
    functions: Mapping[str, str],
    registry: Snapshot,
    expiry: int,
    now: int,
) -> WorkerView:
    card = session.card
    runs = [Executed(run, functions[run]) for run in held[:MOST_RUNS] if run in functions]
    return WorkerView(
        id=session.id,
        state=state_of(session, expiry, now),
        name=f"{card.host} · {card.pid}" if card else "",
        stepwell=card.stepwell if card else "",
        apps=_apps(card.apps, registry) if card else (),
        functions=counted(len(card.functions), "function") if card else "",
        suspects=bool(card and card.suspects),
        served=card.served if card else "",
        away=_away(card.away, now) if card and card.away else None,
        running=session.running,
        slots=card.slots if card else 0,
        heard=past(heard(session, expiry), now),
        started=past(card.started, now) if card else None,
        runs=tuple(runs),
        hidden=max(0, session.running - len(runs)),
    )


def _apps(apps: Mapping[str, str], registry: Snapshot) -> tuple[AppView, ...]:
    found = [(id, version, registry.apps.get(id)) for id, version in sorted(apps.items())]
    return tuple(
        AppView(id, version, known.version if known and known.version != version else None)
        for id, version, known in found
    )


def _away(away: Away, now: int) -> AwayView:
    return AwayView(capital(away.why), past(away.since, now), coming(away.until, now))


def _busy(sessions: Sequence[WorkerSession]) -> str:
    running, slots = sum(one.running for one in sessions), sum(one.card.slots for one in sessions if one.card)
    return f"{running:,} of {counted(slots, 'slot')} in use" if slots else f"{counted(running, 'run')} executing"


def _lesson(*, dev: bool) -> Lesson:
    text = "A worker executes the functions of your apps, and registers them when it starts. Start one for your file:"
    return Lesson("No worker is connected", text, f"stepwell {'dev' if dev else 'worker'} path/to/app.py")
