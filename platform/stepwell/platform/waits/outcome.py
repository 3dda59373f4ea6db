"""What a wait ends with: payloads of steps that wait for events or for runs."""

from collections.abc import Mapping
from typing import Any, cast

from stepwell.platform.codec import decode, encode
from stepwell.platform.records import EventRecord, RunRecord, Status
from stepwell.platform.waits.listing import ALONE, ORDINALS

KEPT = ("causes", "causes_cut", "cut")
"""What is kept of an error for those who look at its run."""


def event_json(event: EventRecord) -> dict[str, Any]:
    """An event as expressions and handlers see it."""
    return {"id": event.id, "name": event.name, "data": event.data, "ts": event.ts}


def of_event(event: EventRecord, ordinal: str) -> bytes:
    """The outcome of a wait that an event has ended: the event; behind its number when there were several."""
    whole = event_json(event)
    return encode(whole) if ordinal == ALONE else encode([ORDINALS.index(ordinal), whole])


def of_run(run: RunRecord) -> tuple[bool, bytes]:
    """The outcome of an invoke whose run has ended: whether it is good, and its output or error."""
    if run.status is Status.COMPLETED:
        return True, run.output
    if run.status is Status.FAILED and run.error:
        return False, with_run(run.error, run.id)
    return False, failed("Cancelled", f"run {run.id} of {run.function} was cancelled", run.id)


def failed(kind: str, message: str, run: str = "") -> bytes:
    """An error that no exception has made."""
    return encode({"type": kind, "message": message, "traceback": [], **({"run_id": run} if run else {})})


def as_told(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error as events and handlers are told of it: type, message, and frames of file, line and function."""
    told = {name: value for name, value in error.items() if name not in KEPT}
    frames = told.get("traceback")
    if isinstance(frames, list):
        told["traceback"] = [_frame(frame) for frame in cast("list[dict[str, Any]]", frames)]
    return told


def _frame(frame: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in frame.items() if name != "source"}


def with_run(error: bytes, run: str) -> bytes:
    """An error, and which run it is of."""
    return encode({**decode(error), "run_id": run})
