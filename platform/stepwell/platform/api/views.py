"""Records of the platform as JSON models."""

from typing import Any, cast

from stepwell.platform.api.models import (
    Event,
    Failure,
    Function,
    Key,
    Pause,
    Refusal,
    Run,
    RunCounts,
    RunSummary,
    Schedule,
    ScheduleDetail,
    SlotHolder,
    SoughtEvent,
    Step,
    StepStatus,
    Unkeyed,
    WaitingOn,
    Worker,
)
from stepwell.platform.codec import decode
from stepwell.platform.cron.schedules import ScheduleView
from stepwell.platform.flow import judging
from stepwell.platform.flow import refusal as flow
from stepwell.platform.flow.holding import KeyView
from stepwell.platform.flow.pausing import Paused
from stepwell.platform.history import FunctionView, RunView
from stepwell.platform.reading import pending, runs
from stepwell.platform.reading.counts import Counts, WorkerSession
from stepwell.platform.reading.wait import Wait
from stepwell.platform.records import EventRecord, RunRecord, Status, StepRow
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.waits.outcome import event_json

STATUS_OF: dict[str, StepStatus] = {
    "pending": "waiting",
    "retrying": "retrying",
    "done": "completed",
    "failed": "failed",
}


def failure(error: bytes | None) -> Failure | None:
    """An error as it is recorded, with its traceback as text."""
    if not error:
        return None
    parts: dict[str, Any] = decode(error)
    return Failure(
        type=parts.get("type", "Error"), message=parts.get("message", ""), traceback=_text(parts.get("traceback"))
    )


def _text(traceback: Any) -> str | None:
    """Frames as Python prints them; text stays what it is."""
    if not isinstance(traceback, list):
        return traceback or None
    frames = cast("list[dict[str, Any]]", traceback)
    lines = [f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}' for frame in frames]
    return "\n".join(["Traceback (most recent call last):", *lines]) if lines else None


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
    )


def _events(what: pending.Pending) -> list[SoughtEvent]:
    return [SoughtEvent(name=e.name, condition=e.condition or None, entry=e.entry or None) for e in what.events]


def step(index: int, row: StepRow, child: str | None = None) -> Step:
    """A step, at its place in the run, and the run that it has invoked."""
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
    )


def event(record: EventRecord) -> Event:
    """An event."""
    return Event(
        id=record.id,
        sender_id=record.sender_id or None,
        name=record.name,
        data=record.data,
        ts=record.ts,
        received_at=record.received,
        runs=list(record.runs),
        refusals=[_refusal(function, refusal) for function, refusal in record.refusals],
    )


def event_judged(record: EventRecord, snapshot: Snapshot) -> Event:
    """An event, with what the functions that are registered now make of it."""
    told = event_json(record)
    refused = {function for function, _ in record.refusals}
    missed = [one for one in judging.left_out(snapshot, record.name, told) if one not in refused]
    shown = event(record)
    conditions = [Refusal(function=one, reason="condition", run=None, message=judging.CONDITION) for one in missed]
    unkeyed = [
        Unkeyed(function=one.function, control=one.control, message=one.message)
        for one in judging.unkeyed(snapshot, record.name, told)
    ]
    return shown.model_copy(update={"refusals": [*shown.refusals, *conditions], "unkeyed": unkeyed})


def _refusal(function: str, refusal: flow.Refusal) -> Refusal:
    return Refusal(function=function, reason=refusal.reason, run=refusal.run or None, message=refusal.text)


def function(view: FunctionView, paused: Paused | None) -> Function:
    """A function."""
    registered = view.function
    manifest = registered.manifest
    return Function(
        id=registered.id,
        app=registered.app,
        version=registered.version,
        triggers=manifest.triggers,
        retries=manifest.retries,
        concurrency=manifest.concurrency,
        throttle=manifest.throttle,
        rate_limit=manifest.rate_limit,
        debounce=manifest.debounce,
        batch=manifest.batch,
        priority=manifest.priority,
        singleton=manifest.singleton,
        fairness=manifest.fairness,
        idempotency=manifest.idempotency,
        paused=Pause(mode=paused.mode, since=paused.since) if paused else None,
        runs=view.runs,
        workers=view.workers,
    )


def key(view: KeyView) -> Key:
    """A key."""
    return Key(
        scope=view.scope,
        constraint=view.constraint,
        value=view.value,
        limit=view.limit,
        held=view.held,
        holders=[SlotHolder(run=one.run, since=one.since, worker=one.session or None) for one in view.holders],
        lanes=view.lanes,
        waiting=view.waiting,
    )


def schedule(view: ScheduleView) -> Schedule:
    """A schedule of a list."""
    return Schedule(**_schedule(view))


def schedule_detail(view: ScheduleView) -> ScheduleDetail:
    """A schedule on its own."""
    return ScheduleDetail(**_schedule(view), upcoming=list(view.upcoming(5)))


def _schedule(view: ScheduleView) -> dict[str, Any]:
    planned, state = view.schedule, view.state
    return {
        "id": planned.id,
        "function": planned.function,
        "app": planned.function.partition("/")[0],
        "cron": planned.cron,
        "tz": planned.tz,
        "jitter": planned.jitter,
        "overlap": planned.overlap,
        "catch_up": planned.catch_up,
        "window": planned.window,
        "next_at": next(iter(view.upcoming(1)), None),
        "skips": state.skip or None,
        "last_at": state.last or None,
        "last_fired_at": state.fired or None,
        "last_run": None if state.run == "-" else state.run,
        "missed": state.missed,
        "skipped": state.skipped,
        "held": list(state.held),
        "paused_at": state.paused or None,
    }


def worker(session: WorkerSession) -> Worker:
    """A worker."""
    return Worker(id=session.id, running=session.running, expires_at=session.expires)


def counts(found: Counts) -> RunCounts:
    """How many runs there are."""
    return RunCounts.model_validate(found, from_attributes=True)
