"""Runs and steps as JSON models."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.platform.api.models.run import Run, RunSummary, SoughtEvent, Step, StepStatus, Try, WaitingOn
from stepwell.platform.api.views.failure import failure
from stepwell.platform.api.views.log import progress
from stepwell.platform.history import RunView
from stepwell.platform.reading import noted, pending, runs
from stepwell.platform.reading.logs import KeptProgress
from stepwell.platform.reading.underway import Underway
from stepwell.platform.reading.wait import Wait
from stepwell.platform.records import RunRecord, Status, StepRow

STATUS_OF: dict[str, StepStatus] = {
    "pending": "waiting",
    "retrying": "retrying",
    "done": "completed",
    "failed": "failed",
}


def run_summary(summary: runs.RunSummary) -> RunSummary:
    """A run of a list."""
    return RunSummary(**_fields(summary.run, summary.created, summary.event_name))


def run(view: RunView) -> Run:
    """A run on its own."""
    fields = _fields(view.run, view.created, view.event_name)
    waits = [_waiting_on(wait) for wait in view.waiting_on] or None
    return Run(
        **fields,
        event_ids=list(view.events),
        output=_json(view.run.output),
        waiting_on=waits,
        progress=None if view.run.status.ended else progress(KeptProgress.parse(view.run.progress)),
        versions=list(view.run.versions),
        drift=list(view.run.drift),
    )


def _fields(record: RunRecord, created: int, event_name: str | None) -> dict[str, Any]:
    parent_id, parent_step = record.parent or (None, None)
    return {
        "id": record.id,
        "function": record.function,
        "app": record.function.partition("/")[0],
        "status": record.status.value,
        "cancel_requested": record.cancel > 0 and not record.status.ended,
        "event_id": record.event,
        "event_name": event_name,
        "attempt": record.attempt,
        "created_at": created,
        "started_at": record.started or None,
        "ended_at": record.ended or None,
        "error": failure(record.error) if record.status in (Status.FAILED, Status.CANCELLED) else None,
        "version": record.version,
        "parent_id": parent_id,
        "parent_step": parent_step,
        "rerun_of": record.rerun_of,
    }


def _json(payload: bytes) -> Any:
    return payload or None


def _waiting_on(wait: Wait) -> WaitingOn:
    return WaitingOn(
        kind=wait.kind,
        step=wait.step,
        until=wait.until,
        attempts=wait.attempts,
        error=failure(wait.error),
        key=wait.key,
        limit=wait.limit,
        held=wait.held,
        ahead=wait.ahead,
        holders=list(wait.holders),
        position=wait.position,
        mode=wait.mode,
        gathered=wait.events,
        events=_events(wait.what),
        child_id=wait.what.child,
        function=wait.what.function,
        signal=wait.what.signal,
        app=wait.app,
        since=wait.since,
        why=wait.why,
    )


def _events(what: pending.Pending) -> list[SoughtEvent]:
    return [SoughtEvent(name=e.name, condition=e.condition or None, entry=e.entry or None) for e in what.events]


def step(
    index: int,
    row: StepRow,
    child: str | None = None,
    said: KeptProgress | None = None,
    tries: Sequence[noted.Try] = (),
) -> Step:
    """A step, at its place in the run, the run that it has invoked, how far it says to have come, and what failed."""
    failed = row.state in ("failed", "retrying")
    return Step(
        id=row.key,
        index=index,
        kind=row.kind,
        status=STATUS_OF[row.state],
        attempts=row.attempts,
        output=_json(row.payload) if row.state == "done" else None,
        error=failure(row.payload) if failed else None,
        started_at=row.started or None,
        ended_at=row.ended or None if row.state in ("done", "failed") else None,
        wakes_at=pending.until(row),
        events=_events(pending.pending_of(row)),
        child_id=child,
        progress=progress(said),
        tries=[_try(one) for one in tries],
    )


def with_underway(
    steps: Sequence[Step], underway: Mapping[str, Underway], said: Mapping[str, KeptProgress]
) -> list[Step]:
    """The steps, those that execute as such; behind the others, those that are not recorded yet."""
    known = [_running(step, underway.get(step.id)) for step in steps]
    recorded = {step.id for step in steps}
    new = sorted((one for one in underway.values() if one.step not in recorded), key=lambda one: one.started)
    return known + [_new(len(known) + place, one, said.get(one.step)) for place, one in enumerate(new)]


def _running(step: Step, one: Underway | None) -> Step:
    # Its outcome may have been recorded since.
    if one is None or step.status != "retrying":
        return step
    return step.model_copy(update={"status": "running", "worker": one.worker, "attempts": one.attempt})


def _new(index: int, one: Underway, said: KeptProgress | None) -> Step:
    return Step(
        id=one.step,
        index=index,
        kind="run",
        status="running",
        worker=one.worker,
        attempts=one.attempt,
        output=None,
        error=None,
        started_at=one.started,
        ended_at=None,
        wakes_at=None,
        progress=progress(said),
    )


def _try(one: noted.Try) -> Try:
    return Try(
        attempt=one.attempt,
        started_at=one.started,
        ended_at=one.ended,
        error=failure(one.error),
        worker=one.worker or None,
    )
