"""What a served function is told of the steps of its run that have ended."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stepwell.platform.codec import decode
from stepwell.platform.records import StepRow
from stepwell.platform.wire.keys import wire_id

TIMEOUT = "InngestInvokeTimeoutError"
"""What SDKs know the end of an invoked function's time by."""


def memos(rows: Iterable[StepRow]) -> dict[str, Any]:
    """Id on the wire -> what is recorded, of each step that has ended."""
    return {wire_id(row.key): memo(row) for row in rows if row.state in ("done", "failed")}


def memo(row: StepRow) -> Any:
    """What is recorded of a step that has ended."""
    make: Callable[[StepRow], Any] = _MEMOS.get(row.kind, _outcome)
    return make(row)


def _outcome(row: StepRow) -> dict[str, Any]:
    if row.state == "failed":
        return {"error": error_of(decode(row.payload))}
    return {"data": decode(row.payload) if row.payload else None}


def _sleep(_: StepRow) -> None:
    return None


def _event(row: StepRow) -> Any:
    """The event as it is, not wrapped."""
    if row.state == "failed":
        return _outcome(row)
    event: dict[str, Any] | None = decode(row.payload) if row.payload else None
    return None if event is None else {**event, "user": {}}


def _invoke(row: StepRow) -> dict[str, Any]:
    if row.state != "failed":
        return _outcome(row)
    error = error_of(decode(row.payload))
    name = TIMEOUT if error["name"] == "Timeout" else error["name"]
    return {"error": {"error": name, **error, "name": name}}


_MEMOS: Mapping[str, Callable[[StepRow], Any]] = {"sleep": _sleep, "wait_for_event": _event, "invoke": _invoke}
"""By kind of step; of all others, its output or error."""


def error_of(error: Mapping[str, Any]) -> dict[str, Any]:
    """One of our errors, as it is told to SDKs; `stack` is there when it has one."""
    stack = error.get("stack")
    told = {"name": error.get("type") or "Error", "message": error.get("message") or ""}
    return {**told, "stack": stack} if isinstance(stack, str) else told
