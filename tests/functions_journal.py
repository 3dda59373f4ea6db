"""A journal in memory for tests of the replay runtime: time by hand, leases that get lost, crashes after any call."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from stepwell.functions.function import Function
from stepwell.functions.journal import JournalUnavailable, LeaseLost, Outcome
from stepwell.functions.logbook import Opening
from stepwell.functions.replay.ending import Ending, Released, Retry, Suspended
from stepwell.functions.replay.execution import Execution
from stepwell.functions.replay.start import Start
from stepwell.functions.replay.threads import Threads
from stepwell.functions.waits import EventWait
from stepwell.platform.expressions import compile_expression

STARTED = 1_700_000_000_000


@dataclass
class ManualTime:
    """ms UTC, which only moves when told to."""

    now: int = STARTED

    def advance(self, ms: int) -> None:
        self.now += ms


@dataclass(frozen=True)
class Waiting:
    """What a pending step waits for: events, or the end of a function it has invoked."""

    waits: Sequence[EventWait] = ()
    due: bytes = b"null"
    function: str = ""
    data: Any = None
    detach: bool = False

    @property
    def over(self) -> tuple[bool, bytes]:
        """Whether it has ended well when its time is over, and with what."""
        if self.function:
            return False, _error("TimedOut", "it took too long")
        return True, self.due

    def won(self, kind: str, started: dict[str, Any], came: dict[str, Any]) -> bytes | None:
        """The payload with which an event ends it; None when it is none of those waited for."""
        for index, wait in enumerate(self.waits):
            if wait.event == came["name"] and _holds(wait.condition, {"event": started, "async": came}):
                return orjson.dumps(came if kind == "wait_for_event" else [index, came])
        return None


@dataclass
class Run:
    """What a store would keep of one run."""

    time: ManualTime = field(default_factory=ManualTime)
    data: Any = None
    rows: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    sent: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict[str, list[Mapping[str, Any]]])
    turn: int = 0
    attempt: int = 0
    waiting: dict[str, Waiting] = field(default_factory=dict[str, Waiting])

    @property
    def event(self) -> dict[str, Any]:
        """What started it."""
        return {"id": "event-1", "name": "order.placed", "data": self.data, "ts": STARTED}

    def next_turn(self) -> int:
        self.turn += 1
        return self.turn

    def due(self) -> list[Outcome]:
        """Waits in the order in which they end."""
        return sorted((row for row in self.rows.values() if row.due), key=lambda row: row.due)

    def wake(self) -> Outcome | None:
        """Ends the wait that is due next, moving the time to it."""
        waiting = self.due()
        if not waiting:
            return None
        row = waiting[0]
        self.time.now = max(self.time.now, row.due)
        if row.state == "retrying":
            woken = Outcome(row.key, row.kind, "retrying", 0, row.attempts, 0, row.payload)
            self.rows[row.key] = woken
            return woken
        return self.end(row.key, *self.waiting.get(row.key, Waiting()).over)

    def end(self, key: str, ok: bool, payload: bytes) -> Outcome:
        """Ends a pending step."""
        row = self.rows[key]
        assert row.state == "pending", row
        ended = Outcome(key, row.kind, "done" if ok else "failed", self.next_turn(), 0, 0, payload)
        self.rows[key] = ended
        return ended

    def deliver(self, name: str, data: Any) -> list[Outcome]:
        """An event comes; gives the waits it has ended."""
        came = {"id": f"{name}-1", "name": name, "data": data, "ts": self.time.now, "received_at": self.time.now}
        ended: list[Outcome] = []
        for row in list(self.rows.values()):
            payload = self.waiting[row.key].won(row.kind, self.event, came) if row.key in self.waiting else None
            if payload is not None and row.state == "pending":
                ended.append(self.end(row.key, True, payload))
        return ended

    def complete(self, key: str, output: Any) -> Outcome:
        """The function that a step has invoked completes."""
        return self.end(key, True, b"" if output is None else orjson.dumps(output))

    def fail(self, key: str, kind: str, message: str) -> Outcome:
        """The function that a step has invoked fails."""
        return self.end(key, False, _error(kind, message))


class MemoryJournal:
    """Keeps the outcomes of one run, as one lease of it sees it.

    Args:
        run: what is kept.
        lose_after, unavailable_after, crash_after: number of the call that has its effect and then fails so; a crash
            never returns.
    """

    def __init__(
        self,
        run: Run,
        *,
        lose_after: int | None = None,
        unavailable_after: int | None = None,
        crash_after: int | None = None,
    ) -> None:
        self.run = run
        self.calls: list[str] = []
        self.lost = False
        self.refusal: Exception | None = None  # raised by every call from now on
        self.crashed = asyncio.Event()
        self.held: asyncio.Event | None = None  # while set and clear, calls do not return
        self._lose_after = lose_after
        self._unavailable_after = unavailable_after
        self._crash_after = crash_after

    async def checkpoint(self, key: str, kind: str, ok: bool, attempts: int, took: int, payload: bytes) -> int:
        self._begin(f"checkpoint {key}")
        orjson.loads(payload)
        known = self.run.rows.get(key)
        assert known is None or not known.ended, f"{key} was recorded twice"
        turn = self.run.next_turn()
        self.run.rows[key] = Outcome(key, kind, "done" if ok else "failed", turn, attempts, 0, payload)
        await self._end()
        return turn

    async def arm(
        self, key: str, kind: str, payload: bytes, *, delay: int | None = None, until: int | None = None
    ) -> Outcome:
        self._begin(f"arm {key}")
        now = self.run.time.now
        due = now + delay if delay is not None else until or 0
        if key not in self.run.rows:
            over = Outcome(key, kind, "done", self.run.next_turn(), 0, 0, b"null") if due <= now else None
            self.run.rows[key] = over or Outcome(key, kind, "pending", 0, 0, due, b"null")
        await self._end()
        return self.run.rows[key]

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
        self._begin(f"wait {key}")
        orjson.loads(due)
        self._open(key, kind, Waiting(tuple(waits), due), delay, until)
        await self._end()
        return self.run.rows[key]

    async def invoke(self, key: str, function: str, data: bytes, *, delay: int | None, detach: bool) -> Outcome:
        self._begin(f"invoke {key}")
        waiting = Waiting(function=function, data=orjson.loads(data), detach=detach)
        self._open(key, "invoke", waiting, delay, None)
        await self._end()
        return self.run.rows[key]

    async def retry(self, key: str, kind: str, attempts: int, delay: int, took: int, error: bytes) -> Outcome:
        self._begin(f"retry {key}")
        self.run.rows[key] = Outcome(key, kind, "retrying", 0, attempts, self.run.time.now + max(1, delay), error)
        await self._end()
        return self.run.rows[key]

    async def send(self, key: str, events: Sequence[Mapping[str, Any]]) -> list[str]:
        self._begin(f"send {key}")
        orjson.dumps(list(events))
        self.run.sent.setdefault(key, list(events))
        await self._end()
        return [f"{key}/{index}" for index in range(len(events))]

    def _open(self, key: str, kind: str, waiting: Waiting, delay: int | None, until: int | None) -> None:
        if key in self.run.rows:
            return
        now = self.run.time.now
        due = now + delay if delay is not None else until
        self.run.waiting[key] = waiting
        self.run.rows[key] = Outcome(key, kind, "pending", 0, 0, due or 0, b"null")
        if due is not None and due <= now:
            self.run.end(key, *waiting.over)

    def _begin(self, call: str) -> None:
        if self.lost:
            raise LeaseLost
        if self.refusal is not None:
            raise self.refusal
        self.calls.append(call)

    async def _end(self) -> None:
        done = len(self.calls)
        if done == self._crash_after:
            self.lost = True
            self.crashed.set()
            await asyncio.get_running_loop().create_future()
        if done == self._lose_after:
            self.lost = True
            raise LeaseLost
        if done == self._unavailable_after:
            raise JournalUnavailable
        if self.held is not None:
            await self.held.wait()
        else:
            await asyncio.sleep(0)


class Driver:
    """Runs a function over a `Run` again and again, as an executor and a scheduler would.

    Args:
        function: to be run.
        data: of the event that starts it.
    """

    def __init__(self, function: Function[Any], data: Any = None) -> None:
        self.function = function
        self.run = Run(data={} if data is None else data)
        self.threads = Threads(4)
        self.endings: list[Ending] = []
        self.execution: Execution | None = None
        self.logbook: Opening | None = None
        self.calls: list[list[str]] = []  # of the journal, by lease

    def start(self) -> Start:
        run = self.run
        return Start(
            run_id="run-1",
            function_id=self.function.name,
            events=[run.event],
            attempt=run.attempt,
            max_attempts=self.function.retries.times + 1,
            outcomes=list(run.rows.values()),
            turn=run.turn,
            now=run.time.now,
        )

    def begin(self, **faults: Any) -> tuple[Execution, MemoryJournal]:
        """An execution that has not begun."""
        journal = MemoryJournal(self.run, **faults)
        self.execution = Execution(self.function, self.start(), journal, self.threads, self.logbook)
        self.calls.append(journal.calls)
        return self.execution, journal

    async def lease(self, **faults: Any) -> Ending:
        """One execution, to its ending or crash."""
        execution, journal = self.begin(**faults)
        task = asyncio.ensure_future(execution.run())
        crash = asyncio.ensure_future(journal.crashed.wait())
        await asyncio.wait({task, crash}, return_when=asyncio.FIRST_COMPLETED)
        crash.cancel()
        execution.abandon()
        ending = await task
        self.endings.append(ending)
        return ending

    async def to_end(self, leases: int = 200, **faults: Any) -> Ending:
        """Leases the run until it has ended; waits end one by one. Faults are for the first lease."""
        for _ in range(leases):
            ending = await self.lease(**faults)
            faults = {}
            match ending:
                case Suspended():
                    assert self.run.wake() is not None, "suspended with nothing to wait for"
                case Retry(delay=delay):
                    self.run.attempt += 1
                    self.run.time.advance(delay)
                case Released():
                    pass
                case _:
                    return ending
        raise AssertionError(f"no end after {leases} leases")


async def ticks(count: int = 50) -> None:
    """Lets the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object], ticks: int = 10_000) -> None:
    """Lets the loop turn until something holds."""
    for _ in range(ticks):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


def _holds(condition: str, variables: dict[str, Any]) -> bool:
    return not condition or compile_expression(condition, variables).matches(variables)


def _error(kind: str, message: str) -> bytes:
    return orjson.dumps({"type": kind, "message": message, "traceback": None, "run_id": "child"})
