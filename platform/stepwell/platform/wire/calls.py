"""What an app is told when it is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Start
from stepwell.functions.served.words import OURS, row_of
from stepwell.platform.codec import encode
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.memos import memo

LARGEST = 4 << 20
"""Bytes of events and steps that come with a call; of more, the app asks itself."""
FUNCTIONS = UUID("5d9f1d9e-8a0b-5b0e-9c57-2f6a4e1f3c11")
"""The name space of functions."""
LEADING = 2
"""The way of execution of a call to our own SDK."""
FIRST = "step"
"""The step of a call that is for whatever comes next."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Args:
        step: wire id of the step that is to be executed, or `FIRST`.
        attempt: tries before this one.
        planned: whether the app is to report single steps, too, and not to execute them at once.
        version: of the way of execution; -1 for the app to choose.
        request: names the call.
    """

    step: str
    attempt: int
    planned: bool
    version: int
    request: str


class Script:
    """What a run has been through, written down piece by piece.

    Args:
        run: its id.
        function: as `app/function`.
        token: of the lease.
        events: as JSON, oldest first.
        max_attempts: of each step, and of the function.
    """

    __slots__ = ("_events", "_function", "_max_attempts", "_memos", "_order", "_run", "_size", "_token")

    def __init__(self, run: str, function: str, token: str, events: Sequence[bytes], max_attempts: int) -> None:
        self._run = run
        self._function = str(uuid5(FUNCTIONS, function))
        self._token = token
        self._events = events
        self._max_attempts = max_attempts
        self._memos: dict[str, bytes] = {}
        self._order: list[tuple[int, str]] = []
        self._size = sum(map(len, events))

    def add(self, step: Outcome) -> None:
        """Writes down a step that has ended."""
        id = wire_id(step.key)
        if id not in self._memos:
            self._memos[id] = written = memo(step)
            # Those that were recorded together are in one order whoever reads them.
            self._order.append((step.turn, id))
            self._size += len(written)

    def body(self, call: Call) -> bytes:
        """What a call says."""
        apart = self._size > LARGEST
        steps = b"" if apart else b",".join([b'"%s":%s' % (id.encode(), memo) for id, memo in self._memos.items()])
        events = b"" if apart else b",".join(self._events)
        head = b'{"version":%d,"use_api":%s' % (call.version, _bool(apart))
        return b'%s,"event":%s,"events":[%s],"steps":{%s},"ctx":%s}' % (
            head,
            self._events[0],
            events,
            steps,
            self._context(call, apart),
        )

    def _context(self, call: Call, apart: bool) -> bytes:
        return encode(
            {
                "fn_id": self._function,
                "run_id": self._run,
                "env": "",
                "step_id": call.step,
                "attempt": call.attempt,
                "max_attempts": self._max_attempts,
                "stack": {"stack": [id for _, id in sorted(self._order)], "current": len(self._order)},
                "disable_immediate_execution": call.planned,
                "use_api": apart,
                # Comes back with what the app records meanwhile, and is the right to do so.
                "qi_id": self._token,
                "request_id": call.request,
                "generation_id": 1,
            }
        )


def our_call(start: Start, token: str) -> bytes:
    """What an app of our own SDK is told: all that is recorded, as it is.

    Args:
        start: what the execution begins with.
        token: of the lease.
    """
    ours = {
        "run": start.run_id,
        "function": start.function_id,
        "token": token,
        "attempt": start.attempt,
        "max_attempts": start.max_attempts,
        "turn": start.turn,
        "now": start.now,
        "output_limit": start.output_limit,
        "steps": [row_of(outcome) for outcome in start.outcomes],
    }
    context = {"run_id": start.run_id, "attempt": start.attempt, "max_attempts": start.max_attempts, "step_id": FIRST}
    return encode(
        {
            "version": LEADING,
            "use_api": False,
            "event": start.events[0],
            "events": start.events,
            "steps": {},
            "ctx": {**context, "stack": {"stack": [], "current": 0}, "qi_id": token},
            OURS: ours,
        }
    )


def _bool(value: bool) -> bytes:
    return b"true" if value else b"false"
