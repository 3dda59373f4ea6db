"""What an app is told of steps that have ended."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

from stepwell.platform.codec import decode, encode
from stepwell.platform.wire.keys import wire_id

TIMED_OUT = "InngestInvokeTimeoutError"


class Ended(Protocol):
    """A step that has ended: a recorded row, or an outcome."""

    @property
    def key(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def payload(self) -> bytes: ...


def memos(steps: Iterable[Ended]) -> dict[str, Any]:
    """Those of a run, by the names that SDKs have for steps; others than ended ones are left out."""
    return {wire_id(step.key): decode(memo(step)) for step in steps if step.state in ("done", "failed")}


def memo(step: Ended) -> bytes:
    """That of one step, as JSON."""
    if step.state == "failed":
        error = error_of(decode(step.payload))
        return encode({"error": _invoked(error) if step.kind == "invoke" else error})
    match step.kind:
        case "sleep":
            return b"null"
        case "wait_for_event":
            return _event(step.payload)
        case "wait_for_signal" if step.payload == b"null":
            return b"null"
        case _:
            return b'{"data":%s}' % (step.payload or b"null")


def error_of(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error of the record as SDKs know errors; with `stack` when it has one."""
    stack = error.get("stack")
    told = {"name": error.get("type") or "Error", "message": error.get("message") or ""}
    return {**told, "stack": stack} if isinstance(stack, str) else told


def _invoked(error: dict[str, Any]) -> dict[str, Any]:
    """That of a function that another one has invoked."""
    name = TIMED_OUT if error["name"] == "Timeout" else error["name"]
    return {"error": name, **error, "name": name}


def error_kept(error: object) -> bytes:
    """An error that an SDK has told of, for the record."""
    told: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {"message": error}
    name, message, stack = told.get("name") or "Error", told.get("message"), told.get("stack")
    kept: dict[str, Any] = {"type": _text(name, 256), "message": _text(message, 16_384), "traceback": []}
    return encode({**kept, "stack": _text(stack, 16_384)} if stack else kept)


def failed(kind: str, message: str) -> bytes:
    """An error of our own, for the record."""
    return encode({"type": kind, "message": _text(message, 16_384), "traceback": []})


def _text(value: object, most: int) -> str:
    text = value if isinstance(value, str) else "" if value is None else encode(value).decode()
    return text[:most].encode(errors="replace").decode()


def _event(payload: bytes) -> bytes:
    event = decode(payload or b"null")
    return encode({**event, "user": {}}) if isinstance(event, dict) else b"null"
