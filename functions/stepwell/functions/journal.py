"""What the replay runtime asks of whoever executes it: durable records of what steps did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from stepwell.functions.waits import EventWait

State = Literal["pending", "retrying", "done", "failed"]


class LeaseLost(BaseException):
    """The run is no longer ours to advance: unwind, and record nothing more."""


class JournalUnavailable(BaseException):
    """Records cannot be kept at the moment: never a failed step, the run goes on later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One recorded step.

    Args:
        key: the step's id, then "id:1", "id:2" for repeats.
        kind: run, sleep, send, wait_for_event, wait_for_any, invoke.
        state: pending and retrying wait for `due`; done and failed never change again.
        turn: completion sequence of the run; outcomes acknowledged together share it; 0 while pending or retrying.
        attempts: tries of the body so far.
        due: ms UTC when it wakes, else 0; retrying with 0 means the next attempt may begin.
        payload: JSON: the output when done (see also `Journal.wait` and `Journal.invoke`), the error {type, message,
            traceback} when failed or retrying.
    """

    key: str
    kind: str
    state: State
    turn: int
    attempts: int
    due: int
    payload: bytes

    @property
    def ended(self) -> bool:
        """Whether this outcome is final."""
        return self.state == "done" or self.state == "failed"


class Journal(Protocol):
    """Keeps what steps did; every method is durable when it returns.

    Raises:
        LeaseLost, JournalUnavailable: from every method.
        LimitExceeded: from every method, when the run has too many steps or too large a state.
    """

    async def checkpoint(self, key: str, kind: str, ok: bool, attempts: int, took: int, payload: bytes) -> int:
        """Records the outcome of a step whose body ran for `took` ms, and gives its turn."""
        ...

    async def arm(
        self, key: str, kind: str, payload: bytes, *, delay: int | None = None, until: int | None = None
    ) -> Outcome:
        """Records a wait of `delay` ms, or until a moment in ms UTC, or gives what is recorded already."""
        ...

    async def retry(self, key: str, kind: str, attempts: int, delay: int, took: int, error: bytes) -> Outcome:
        """Records a failed attempt that is tried again in `delay` ms."""
        ...

    async def send(self, key: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """Publishes events and gives their ids; the same key sent again publishes nothing new."""
        ...

    async def wait(
        self,
        key: str,
        kind: str,
        waits: Sequence[EventWait],
        *,
        delay: int | None,
        until: int | None,
        due: bytes,
        names: Sequence[str] = (),
    ) -> Outcome:
        """Records a wait for whichever event comes first, or gives what is recorded already.

        Args:
            key: of the step.
            kind: wait_for_event, whose payload is the event {id, name, data, ts}; or wait_for_any, whose payload is
                [index in `waits`, event]; or [name, event] when somebody has decided it by hand.
            waits: what each event must be like.
            delay: ms after which it is done without an event; None for no such time.
            until: instead, the moment in ms UTC.
            due: JSON, the payload then.
            names: by which a wait_for_any knows its `waits`.
        """
        ...

    async def invoke(self, key: str, function: str, data: bytes, *, delay: int | None, detach: bool) -> Outcome:
        """Starts a run of another function and records a wait for its end, or gives what is recorded already.

        Done, the payload is the function's output (empty for None); failed, it is the error {type, message, traceback}
        and the run_id if there is one.

        Args:
            key: of the step.
            function: "app-id/function-id".
            data: of the event it is started with, a JSON object.
            delay: ms after which the step fails; None for no such time.
            detach: whether that run goes on when this one is cancelled.
        """
        ...
