"""What an app is told when it is called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from stepwell.functions.journal import Outcome
from stepwell.platform.codec import encode
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.memos import memo

LARGEST = 4 << 20
"""Bytes of events and steps that come with a call; of more, the app asks itself."""
FUNCTIONS = UUID("5d9f1d9e-8a0b-5b0e-9c57-2f6a4e1f3c11")
"""The name space of functions."""
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
        form: writes a piece of JSON as it is sent: in its canonical form where calls are signed.
    """

    __slots__ = ("_events", "_form", "_function", "_max_attempts", "_memos", "_order", "_run", "_size", "_token")

    def __init__(
        self,
        run: str,
        function: str,
        token: str,
        events: Sequence[bytes],
        max_attempts: int,
        form: Callable[[bytes], bytes],
    ) -> None:
        self._run = run
        self._function = str(uuid5(FUNCTIONS, function))
        self._token = token
        self._form = form
        self._events = [form(event) for event in events]
        self._max_attempts = max_attempts
        self._memos: dict[str, bytes] = {}
        self._order: list[tuple[int, str]] = []
        self._size = sum(map(len, events))

    def add(self, step: Outcome) -> None:
        """Writes down a step that has ended."""
        id = wire_id(step.key)
        if id not in self._memos:
            self._memos[id] = written = self._form(memo(step))
            # Those that were recorded together are in one order whoever reads them.
            self._order.append((step.turn, id))
            self._size += len(written)

    def body(self, call: Call) -> bytes:
        """What a call says, in the canonical form of JSON if its pieces are."""
        apart = self._size > LARGEST
        known = [] if apart else sorted(self._memos.items())
        return b'{"ctx":%s,"event":%s,"events":[%s],"steps":{%s},"use_api":%s,"version":%d}' % (
            self._context(call, apart),
            self._events[0],
            b"" if apart else b",".join(self._events),
            b",".join([b'"%s":%s' % (id.encode(), memo) for id, memo in known]),
            b"true" if apart else b"false",
            call.version,
        )

    def _context(self, call: Call, apart: bool) -> bytes:
        # In the order of their names, as the canonical form has it.
        return encode(
            {
                "attempt": call.attempt,
                "disable_immediate_execution": call.planned,
                "env": "",
                "fn_id": self._function,
                "generation_id": 1,
                "max_attempts": self._max_attempts,
                "qi_id": right_of(self._token, call.attempt),
                "request_id": call.request,
                "run_id": self._run,
                "stack": {"current": len(self._order), "stack": [id for _, id in sorted(self._order)]},
                "step_id": call.step,
                "use_api": apart,
            }
        )


def right_of(token: str, attempt: int) -> str:
    """What comes back with steps that the app has recorded while it goes on, and is the right to do so."""
    return f"{token}/{attempt}"


def read_right(text: str) -> tuple[str, int]:
    """The token of the lease, and the attempt of the call. Raises `ValueError`."""
    token, _, attempt = text.rpartition("/")
    return token, int(attempt)
