"""Writing what apps of our own SDK record into the journal of their run."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from stepwell.functions.journal import Outcome
from stepwell.functions.served.words import wait_of
from stepwell.functions.values import check_size
from stepwell.platform.codec import encode
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.wire.entries import Arm, Checkpoint, Invoke, Retry, Send, Wait, error_text, json_of
from stepwell.platform.wire.given import decode_given


def kept(kind: type[BaseModel], text: str) -> bytes:
    """One line of JSON, of what came as such. Raises `ValidationError`, `UnencodableJSON`."""
    return encode(kind.model_validate_json(text).model_dump())


def _object(text: str) -> bytes:
    """An object that is recorded as it is. Raises `MalformedJSON`, `TypeError`."""
    if not isinstance(decode_given(text.encode()), dict):
        raise TypeError("the data of an event is an object")
    return text.encode()


async def _checkpoint(journal: RunJournal, write: Checkpoint, limit: int) -> Outcome:
    payload = json_of(write.payload) if write.ok else error_text(write.payload)
    check_size(payload, f"step {write.key!r}", limit)
    turn = await journal.checkpoint(write.key, write.kind, write.ok, write.attempts, write.took, payload)
    return Outcome(write.key, write.kind, "done" if write.ok else "failed", turn, write.attempts, 0, b"")


async def _arm(journal: RunJournal, write: Arm, _: int) -> Outcome:
    return await journal.arm(write.key, write.kind, b"", delay=write.delay, until=write.until)


async def _retry(journal: RunJournal, write: Retry, limit: int) -> Outcome:
    error = error_text(write.error)
    check_size(error, f"step {write.key!r}", limit)
    return await journal.retry(write.key, write.kind, write.attempts, write.delay, write.took, error)


async def _send(journal: RunJournal, write: Send, _: int) -> list[str]:
    return await journal.send(write.key, write.events)


async def _wait(journal: RunJournal, write: Wait, _: int) -> Outcome:
    waits = [wait_of(wait) for wait in write.waits]
    due = json_of(write.due)
    return await journal.wait(
        write.key, write.kind, waits, delay=write.delay, until=write.until, due=due, names=write.names
    )


async def _invoke(journal: RunJournal, write: Invoke, _: int) -> Outcome:
    data = _object(write.data)
    return await journal.invoke(write.key, write.function, data, delay=write.delay, detach=write.detach)


WRITES: Mapping[str, Callable[[RunJournal, Any, int], Awaitable[Outcome | list[str]]]] = MappingProxyType(
    {"checkpoint": _checkpoint, "arm": _arm, "retry": _retry, "send": _send, "wait": _wait, "invoke": _invoke}
)
"""By their names: how each is written, within so many bytes of output."""
