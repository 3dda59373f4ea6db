"""The story of a run: all that has happened to it, in order, and where its time went."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.noted import ACTS, Noted, Outcome, Try, Turn, by_step, noted_of
from stepwell.platform.reading.pending import until
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.reading.tries import tries_in
from stepwell.platform.reading.turns import Split, split_of, turns_of, worker_at
from stepwell.platform.reading.underway import Underway, underway_in
from stepwell.platform.records import RunRecord, Status, StepRow

Kind = Literal[
    "created", "kept", "retry", "wake", "resolve", "queued", "running", "step", "failed_attempt", "cancel_requested",
    "waiting", "completed", "failed", "cancelled",
]  # fmt: skip
StepOutcome = Literal["running", "waiting", "retrying", "completed", "failed"]

STEPS: Mapping[str, StepOutcome] = {
    "pending": "waiting",
    "retrying": "retrying",
    "done": "completed",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that has happened. Times in ms UTC; what does not apply to its kind is `None`.

    Args:
        at: when it happened, or began.
        kind: created; queued, running or waiting, for as long as the run was; step, from its start to its end;
            failed_attempt, of a step or of the function; kept, a step that it has from the run that it does again;
            cancel_requested; retry, wake or resolve, by hand; completed, failed or cancelled.
        until: when it ended; `None` when it goes on.
        step: key of the step. Of queued: the one whose end has made the run ready.
        step_kind: run, sleep, or another.
        worker: the session that executed it.
        attempt: which one has failed, or how often the step was tried.
        outcome: how a turn, or a step, has ended.
        due: when it goes on, or is tried again.
        error: JSON.
    """

    at: int
    kind: Kind
    until: int | None = None
    step: str | None = None
    step_kind: str | None = None
    worker: str | None = None
    attempt: int | None = None
    outcome: Outcome | StepOutcome | None = None
    due: int | None = None
    error: bytes | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """What has happened to a run, in order; `dropped` older turns, failed attempts and acts are not kept."""

    entries: tuple[Entry, ...]
    split: Split
    dropped: int


async def story_of(partition: Partition, run: str, now: int) -> Story | None:
    """All that has happened to a run; `None` when there is none. `now`: ms UTC."""
    known = await _record_of(partition, run)
    if known is None:
        return None
    noted = await noted_of(partition, run, known.token)
    turns = turns_of(known, noted)
    rows = await steps_of(partition, known)
    course = list(_course(known, turns, rows))
    underway = await underway_in(partition, known)
    others = [*_steps(known, turns, rows, noted), *_unrecorded(rows, noted, underway), *_acts(known, noted)]
    entries = _in_order(course, others)
    return Story(tuple(entries), split_of(known, turns, noted, now), noted.dropped)


def _in_order(course: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    """By time; in the same ms, what was done by hand comes before what it has led to, and steps where they executed."""
    began = [entry.at for entry in course]
    turns = [(entry.at, place) for place, entry in enumerate(course) if entry.kind == "running"]
    others = [_in_turn(entry, [entry for entry in course if entry.kind == "running"]) for entry in others]

    def place(entry: Entry) -> float:
        if entry.kind in ACTS.values():
            return bisect_left(began, entry.at) - 0.5
        behind = bisect_right(turns, entry.at, key=lambda turn: turn[0])
        return turns[behind - 1][1] + 0.5 if behind else 0.5

    placed = [*enumerate(course), *((place(entry), entry) for entry in others)]
    return [entry for _, entry in sorted(placed, key=lambda one: (one[1].at, one[0]))]


def _in_turn(entry: Entry, turns: Sequence[Entry]) -> Entry:
    """A body executes in a turn; when it began is counted back by its worker's clock, and may be off by some ms."""
    if entry.kind not in ("step", "failed_attempt") or entry.step_kind != "run":
        return entry
    following = bisect_right(turns, entry.at, key=lambda turn: turn.at)
    before = turns[following - 1] if following else None
    inside = before is not None and (before.until is None or entry.at <= before.until)
    return entry if inside or following == len(turns) else replace(entry, at=turns[following].at)


async def _record_of(partition: Partition, run: str) -> RunRecord | None:
    head, info, error = await partition.read("HMGET", partition.keys.name("k_run", run), "h", "i", "err")
    return None if head is None else RunRecord.parse(run, {b"h": head, b"i": info, b"err": error or b""})


def _course(run: RunRecord, turns: Sequence[Turn], rows: Sequence[StepRow]) -> Iterator[Entry]:
    """What the run was, from its creation to its end."""
    yield Entry(run.created, "created")
    over = run.ended or None
    woken = {row.ended: row.key for row in rows if row.kind != "run" and row.ended}
    for turn, following in zip_longest(turns, turns[1:]):
        yield Entry(turn.ready, "queued", turn.leased, step=woken.get(turn.ready) if turn is not turns[0] else None)
        yield Entry(turn.leased, "running", turn.ended or None, worker=turn.worker, outcome=turn.outcome)
        if turn.outcome == "retrying":
            yield Entry(
                turn.leased, "failed_attempt", turn.ended,
                worker=turn.worker, attempt=turn.attempt, due=turn.due, error=turn.error,
            )  # fmt: skip
        waited = _ready_after(run, following)
        if turn.outcome in ("suspended", "retrying") and waited != turn.ended:
            yield Entry(turn.ended, "waiting", waited or over, due=turn.due or None)
    if not run.leased:
        since = run.ready or run.created
        yield Entry(since, "queued", over, step=woken.get(since) if run.ready else None)
    if run.status.ended:
        yield _end(run)


def _ready_after(run: RunRecord, following: Turn | None) -> int | None:
    """When the run was made ready after a turn; `None` when it was not."""
    if following is not None:
        return following.ready
    return None if run.leased else run.ready


def _end(run: RunRecord) -> Entry:
    failed = run.status is Status.FAILED
    attempt = run.attempt + 1 if failed else None
    kind: Kind = "failed" if failed else "cancelled" if run.status is Status.CANCELLED else "completed"
    return Entry(run.ended, kind, attempt=attempt, error=run.error or None if kind != "completed" else None)


def _steps(run: RunRecord, turns: Sequence[Turn], rows: Sequence[StepRow], noted: Noted) -> Iterator[Entry]:
    tries = by_step(noted.tries)
    for row in rows:
        if run.rerun_of and 0 < row.ended <= run.created:
            yield Entry(run.created, "kept", step=row.key, step_kind=row.kind, outcome=STEPS[row.state])
            continue
        yield _step(row, turns)
        yield from (_try(one, row.kind) for one in tries_in(row, tries.get(row.key, []), turns))


def _unrecorded(rows: Sequence[StepRow], noted: Noted, underway: Mapping[str, Underway]) -> Iterator[Entry]:
    """Of steps that are in no row: those whose first attempt executes, or was executed by a worker that has died."""
    recorded = {row.key for row in rows}
    for one in underway.values():
        if one.step not in recorded:
            yield Entry(
                one.started, "step", step=one.step, step_kind="run",
                worker=one.worker, attempt=one.attempt, outcome="running",
            )  # fmt: skip
    yield from (_try(one, "run") for one in noted.tries if one.step not in recorded)


def _try(one: Try, kind: str) -> Entry:
    return Entry(
        one.started, "failed_attempt", one.ended,
        step=one.step, step_kind=kind, worker=one.worker or None, attempt=one.attempt, due=one.due or None,
        error=one.error or None,
    )  # fmt: skip


def _step(row: StepRow, turns: Sequence[Turn]) -> Entry:
    over = row.state in ("done", "failed")
    worker = worker_at(turns, row.ended) if row.kind == "run" and over else None
    return Entry(
        row.started,
        "step",
        row.ended if over else None,
        step=row.key,
        step_kind=row.kind,
        worker=worker,
        attempt=row.attempts or None,
        outcome=STEPS[row.state],
        due=until(row),
        error=row.payload if row.state == "failed" else None,
    )


def _acts(run: RunRecord, noted: Noted) -> Iterator[Entry]:
    if run.cancel:
        yield Entry(run.cancel, "cancel_requested")
    for act in noted.acts:
        yield Entry(act.at, act.what, step=act.step or None)
