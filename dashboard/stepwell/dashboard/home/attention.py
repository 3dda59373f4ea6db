"""What needs attention: each thing in a line that leads to its cause. Every read here is bounded."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from itertools import islice

from stepwell.dashboard.address import path_to, with_query
from stepwell.dashboard.home.trouble import Trouble
from stepwell.dashboard.queues.naming import constraint_name
from stepwell.dashboard.run.waiting import reason
from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.durations import HOUR, MINUTE, elapsed
from stepwell.dashboard.wording.findings import LEVELS, WARNING, WRONG
from stepwell.dashboard.wording.moments import past
from stepwell.dashboard.wording.texts import capital, cut
from stepwell.dashboard.wording.tone import Tone
from stepwell.dashboard.workers.state import heard, is_late
from stepwell.platform.cron.schedules import ScheduleView
from stepwell.platform.doctor.finding import Finding
from stepwell.platform.doctor.glance import Glance
from stepwell.platform.flow.holding import Abandoned, Holding
from stepwell.platform.flow.pausing import Paused, Pausing
from stepwell.platform.ids import time_of
from stepwell.platform.installation import Installation
from stepwell.platform.reading.away import away_in
from stepwell.platform.reading.counts import WorkerSession
from stepwell.platform.reading.depths import Depth
from stepwell.platform.records import RunRecord, Status

STILL = 10 * MINUTE
"""Ms after which a run that could begin should have."""
OVERDUE = MINUTE
"""Ms after which a schedule that is due should have fired."""
MOST_FUNCTIONS, MOST_RUNS, MOST_KEYS, MOST_SCHEDULES, MOST_STUCK = 5_000, 200, 100, 20, 5
MOST_DEPTHS, MOST_FAILED, MOST_FAILING = 100, 100, 50
STREAK = 5
"""Runs that have to have failed before it is said that a function fails."""
MOST_CHARACTERS = 60
ELSEWHERE = ("paused", "worker", "away")
"""What a run may wait for that has a line of its own."""
PAUSED = Tone("paused", "Paused")


async def troubles_of(
    installation: Installation, sessions: Sequence[WorkerSession], seen: Glance, now: int
) -> list[Trouble]:
    """All there are, the worst first.

    Args:
        installation: where to look.
        sessions: the workers that are connected.
        seen: of the servers.
        now: ms UTC.
    """
    history, partitions = installation.history, installation.partitions
    known = sorted(installation.registry.snapshot.functions)[:MOST_FUNCTIONS]
    served, paused, oldest, abandoned, schedules = await asyncio.gather(
        history.served(known),
        Pausing(partitions, installation.registry).all(),
        history.oldest(MOST_RUNS),
        Holding(partitions).abandoned({session.id for session in sessions}, max(MOST_KEYS // len(partitions), 10)),
        installation.schedules.soonest(MOST_SCHEDULES),
    )
    gone = sorted({run.function for run in oldest} - {*known})
    unserved = [function for function in (*gone, *known) if not served.get(function) and function not in paused]
    depths = await history.depths([*paused, *unserved][:MOST_DEPTHS])
    late = frozenset({*unserved, *paused})
    found = [
        *_servers(seen),
        *_no_worker(known, sessions),
        *_unserved([depths[one] for one in unserved if one in depths], known, now),
        *[one async for one in _stuck(installation, [run for run in oldest if run.function not in late], now)],
        *_away(sessions, now),
        *_unheard(sessions, int(installation.settings.session_expiry * 1000), now),
        *_slots(abandoned, now),
        *_overdue(schedules, now),
        *await _failing(installation, now),
        *_paused(paused, depths, now),
    ]
    return sorted(found, key=lambda trouble: trouble.tone != WRONG)


def _servers(seen: Glance) -> Iterator[Trouble]:
    for index, finding in enumerate(seen.findings):
        if finding.level != "fine":
            yield Trouble(f"server-{index}", LEVELS[finding.level], *_said(finding), "/system")


def _said(finding: Finding) -> tuple[str, str]:
    return f"{capital(finding.about)}:", finding.text


def _no_worker(known: Collection[str], sessions: Sequence[WorkerSession]) -> Iterator[Trouble]:
    if known and not sessions:
        registered = f"{counted(len(known), 'function')} {'is' if len(known) == 1 else 'are'} registered"
        yield Trouble("no-worker", WRONG, "No worker", f"is connected: {registered}, and none executes", "/workers")


def _unserved(depths: Sequence[Depth], known: Collection[str], now: int) -> Iterator[Trouble]:
    for depth in depths:
        if depth.waiting:
            runs = f"has {counted(depth.waiting, 'run')}{' or more' if depth.more else ''} waiting"
            why = "no worker serves it" if depth.function in known else "no app registers it any more"
            url = f"/runs/{depth.oldest}" if depth.oldest else "/queues"
            since = past(time_of(depth.oldest), now) if depth.oldest else None
            yield Trouble(f"unserved-{depth.function}", WRONG, depth.function, f"{runs}, and {why}", url, since)


async def _stuck(installation: Installation, runs: Sequence[RunRecord], now: int) -> AsyncIterator[Trouble]:
    """The oldest run of each function that could have begun long ago, with what it waits for."""
    still = [run for run in runs if _is_still(run, now)]
    first = {run.function: run for run in reversed(still)}
    for function, run in islice(sorted(first.items()), MOST_STUCK):
        view, event = await asyncio.gather(installation.history.run(run.id), installation.history.event(run.event))
        since = max(time_of(run.id), event.ts if event else 0)
        if view is None or not view.waiting_on or view.waiting_on[0].kind in ELSEWHERE or now - since < STILL:
            continue
        others = sum(other.function == function for other in still) - 1
        more = f", as {counted(others, 'other')}" if others else ""
        text = f"a run has waited for {elapsed(now - since)} to begin{more}. {reason(view.waiting_on[0], now).text}"
        yield Trouble(f"still-{function}", WARNING, function, text, f"/runs/{run.id}", past(since, now))


def _is_still(run: RunRecord, now: int) -> bool:
    waits = run.status is Status.QUEUED and not run.started and not run.notbefore
    return waits and now - time_of(run.id) > STILL


def _unheard(sessions: Sequence[WorkerSession], expiry: int, now: int) -> Iterator[Trouble]:
    for session in sessions:
        if is_late(session, expiry, now):
            name = f"{session.card.host} {session.card.pid}" if session.card else session.id
            text = f"is a worker that has not been heard of since; it has {counted(session.running, 'run')}"
            last = past(heard(session, expiry), now)
            yield Trouble(f"late-{session.id}", WARNING, name, text, f"/workers#worker-{session.id}", last)


def _away(sessions: Sequence[WorkerSession], now: int) -> Iterator[Trouble]:
    for app, away in away_in(session.card for session in sessions).items():
        text = f"cannot be called: {away.why}. Its runs wait"
        yield Trouble(f"away-{app}", WRONG, app, text, "/workers", past(away.since, now))


def _slots(abandoned: Sequence[Abandoned], now: int) -> Iterator[Trouble]:
    for key in abandoned:
        unused = key.holders
        whose = f"for “{cut(key.value, MOST_CHARACTERS)}”: " if key.value else ""
        held = "one is held by a run" if len(unused) == 1 else f"{len(unused)} are held by runs"
        url = with_query("/queues", {"text": key.scope})
        text, since = f"{whose}{held} that nobody executes", past(unused[0].since, now)
        yield Trouble(f"slot-{key.scope}", WRONG, constraint_name(key.constraint), text, url, since)


async def _failing(installation: Installation, now: int) -> list[Trouble]:
    """The functions of which most runs of the last hour have failed."""
    functions = (await installation.history.failing(MOST_FAILED))[:MOST_FAILING]
    totals = await installation.history.totals(functions, now - HOUR, now)
    return [
        Trouble(
            f"failing-{function}",
            WARNING,
            function,
            f"fails: {point.failed:,} of {point.failed + point.completed:,} runs that ended in the last hour",
            with_query("/runs", {"status": "failed", "function": function}),
        )
        for function, point in totals.items()
        if point.failed >= STREAK and point.failed >= point.completed
    ]


def _overdue(schedules: Sequence[ScheduleView], now: int) -> Iterator[Trouble]:
    for view in schedules:
        due = view.state.next
        if due and now - view.schedule.due(due) > OVERDUE:
            text = "is a schedule that has not fired when it was due"
            id = view.schedule.id
            yield Trouble(f"overdue-{id}", WRONG, id, text, path_to("schedules", id), past(due, now))


def _paused(paused: Mapping[str, Paused], depths: Mapping[str, Depth], now: int) -> Iterator[Trouble]:
    for function, pause in sorted(paused.items()):
        depth = depths.get(function)
        waiting = depth.waiting if depth else 0
        runs = f"{counted(waiting, 'run')} {'waits' if waiting == 1 else 'wait'}" if waiting else "no run waits"
        what = "is paused, and events start no more runs" if pause.mode == "drop" else f"is paused: {runs}"
        since = past(pause.since, now)
        yield Trouble(f"paused-{function}", PAUSED, function, what, path_to("functions", function), since)
