"""How events and runs are told of in the SDK protocol."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from stepwell.platform.codec import decode
from stepwell.platform.history import RunView
from stepwell.platform.records import EventRecord, RunRecord, Status
from stepwell.platform.waits.outcome import event_json
from stepwell.platform.wire.memos import error_of

STATUSES: Mapping[Status, str] = MappingProxyType(
    {
        Status.QUEUED: "Running",
        Status.RUNNING: "Running",
        Status.WAITING: "Running",
        Status.COMPLETED: "Completed",
        Status.FAILED: "Failed",
        Status.CANCELLED: "Cancelled",
    }
)


def event(record: EventRecord) -> dict[str, Any]:
    """An event as functions get it."""
    return {**event_json(record), "user": {}}


def stored_event(record: EventRecord) -> dict[str, Any]:
    """An event as it is read later."""
    return {
        **event(record),
        "id": record.sender_id or record.id,
        "internal_id": record.id,
        "received_at": moment(record.received),
    }


def run(view: RunView) -> dict[str, Any]:
    """A run."""
    record = view.run
    return {
        "run_id": record.id,
        "run_started_at": moment(record.started or view.created),
        "function_id": record.function.replace("/", "-", 1),
        "function_version": record.version,
        "environment_id": "",
        "event_id": record.event,
        "status": STATUSES[record.status],
        "ended_at": moment(record.ended) if record.ended else None,
        "output": output(record),
    }


def output(record: RunRecord) -> Any:
    """What a run has returned, or why it has failed."""
    if record.error:
        return error_of(decode(record.error))
    return decode(record.output) if record.output else None


def moment(ms: int) -> str:
    """A time in ms UTC as text."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def time_of(text: str) -> int:
    """The ms UTC of such a text. Raises `ValueError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time: write it as 2030-01-31T12:00:00Z") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
