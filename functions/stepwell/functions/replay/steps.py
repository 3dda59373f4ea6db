"""What a step does: give back what is recorded, or do it, record it, and wait for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from time import monotonic
from typing import Any, Final, NoReturn, TypeVar, cast

import orjson

from stepwell.functions.errors import FunctionsError, InvalidStep, NonDeterministic
from stepwell.functions.function import Function
from stepwell.functions.invocation import Invocation
from stepwell.functions.journal import Journal, JournalUnavailable, LeaseLost, Outcome
from stepwell.functions.options import Options, Place
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.replay.attempts import Attempts, since
from stepwell.functions.replay.bodies import Bench
from stepwell.functions.replay.call import Call
from stepwell.functions.replay.decision import Phase
from stepwell.functions.replay.failures import step_failed
from stepwell.functions.replay.gate import Gate, Ticket
from stepwell.functions.replay.lines import Line
from stepwell.functions.replay.ownership import OWNER, AnyTask, Loop
from stepwell.functions.replay.record import Record
from stepwell.functions.replay.start import Start
from stepwell.functions.replay.threads import Threads
from stepwell.functions.waits import EventWait, First, Race, event_in

T = TypeVar("T")
EVENT: Final = "wait_for_event"
ANY: Final = "wait_for_any"


class Steps:
    """The steps of one execution.

    Args:
        function: whose handler runs.
        start: the run.
        journal: where outcomes go.
        threads: for bodies that are plain `def`.
        gate: of the execution.
        record: of the execution.
        loop: it runs on.
    """

    __slots__ = ("_asked", "_bench", "_gate", "_journal", "_loop", "_record", "_threads", "attempts", "name")

    def __init__(
        self,
        function: Function[Any],
        start: Start,
        journal: Journal,
        threads: Threads,
        gate: Gate,
        record: Record,
        loop: Loop,
    ) -> None:
        self.name = function.name
        self._loop = loop
        self._journal = journal
        self._threads = threads
        self._gate = gate
        self._record = record
        self._bench = Bench(function.name, function.bodies, threads, start.output_limit, loop)
        self.attempts = Attempts(function, start.now, journal, gate, record, self._bench)
        self._asked: list[str] = []  # keys, in their order

    def ticket(self, id: str, place: Place) -> Ticket:
        """The key of a step called at a place, or why it may not be; raised when the step is awaited."""
        return self._gate.ticket(id, place)

    async def run(
        self, ticket: Ticket, options: Options, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Runs a body, unless it is recorded, and gives what it returned.

        Raises:
            StepFailed: the body has failed for good.
        """
        # As `_inside`, spelled out: each step of each run goes this way.
        key = ticket if isinstance(ticket, str) else self._gate.refuse(ticket)
        asked = self._asked
        asked.append(key)
        call = Call(key, len(asked), options, fn, args, kwargs)
        if self._gate.decision.phase is Phase.UNWINDING:
            await self._gate.turn_away(key)
        task = self._gate.enter() if self._gate.quiescence.branches.live else None
        try:
            row = self._record.rows.pop(key, None)
            if row is None:
                row = await self.attempts.make(call, 1)
                if row is None:
                    return call.value
            else:
                await self._recorded(row, "run", call.order)
            return await self._settle(call, row)
        except NonDeterministic as error:
            self._gate.poison(error)
            raise
        except (LeaseLost, JournalUnavailable):
            await self._gate.lost()
        finally:
            if task is not None:
                self._gate.leave(task)

    async def sleep(self, ticket: Ticket, delay: int | None, until: int | None) -> None:
        """Waits for ms from when it is first reached, or until a moment in ms UTC."""
        row = await self._pause(
            ticket, "sleep", lambda key: self._journal.arm(key, "sleep", b"", delay=delay, until=until)
        )
        _unless_failed(row)

    async def wait_for_event(self, ticket: Ticket, wait: EventWait, delay: int | None) -> ReceivedEvent | None:
        """Waits for an event, and gives it; None when it has not come within `delay` ms."""
        row = await self._pause(ticket, EVENT, lambda key: self._wait(key, EVENT, [wait], delay))
        return event_in(_unless_failed(row).payload)

    async def wait_for_any(self, ticket: Ticket, race: Race) -> First:
        """Waits for the first of several events and times."""
        row = await self._pause(ticket, ANY, lambda key: self._race(key, race))
        return race.first(f"{self.name}: step {row.key!r}", _unless_failed(row).payload)

    async def invoke(self, ticket: Ticket, call: Invocation) -> Any:
        """Runs another function, and gives what it returned.

        Raises:
            InvokeFailed: it did not complete.
        """
        row = await self._pause(ticket, "invoke", lambda key: self._invoke(key, call))
        return call.result(f"{self.name}: step {row.key!r}", row)

    async def send(self, ticket: Ticket, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """Publishes events once, and gives their ids."""
        return await self._inside(ticket, self._send, events)

    async def parallel(self, handlers: Sequence[Callable[[], Any]]) -> list[Any]:
        """Runs branches of a `def` handler beside each other; gives their results when all have ended."""
        tasks = [self._loop.create_task(self.serve(handler)) for handler in handlers]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return list(results)

    async def serve(self, handler: Callable[[], Any]) -> Any:
        """Runs a `def` handler, or a branch of one, in a thread."""
        task = cast("AnyTask", asyncio.current_task(self._loop))
        line = self._bench.lines[task] = Line(self._threads, self._gate.decision, self._gate.quiescence, self._loop)
        try:
            return await line.serve(handler)
        finally:
            del self._bench.lines[task]

    def ask(self, what: str, step: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Performs a step for the handler's thread that calls.

        Raises:
            MisplacedStep: the thread is inside a step's body, or none of the handler's.
        """
        return cast("T", self._gate.line(what).ask(step))

    async def refused(self, error: FunctionsError) -> NoReturn:
        """A step that cannot be: raises the error when it is awaited."""
        raise error

    def unawaited(self) -> InvalidStep | None:
        """What is wrong when the handler, which has ended, has called a step and not awaited it."""
        return self._gate.unawaited(self._asked)

    def inside(self) -> str:
        """Key of the step whose body the code at hand belongs to; empty outside."""
        owner = OWNER.get()
        return owner if isinstance(owner, str) else ""

    async def _inside(self, ticket: Ticket, way: Callable[..., Awaitable[T]], *args: Any) -> T:
        key = ticket if isinstance(ticket, str) else self._gate.refuse(ticket)
        self._asked.append(key)
        order = len(self._asked)
        if self._gate.decision.phase is Phase.UNWINDING:
            await self._gate.turn_away(key)
        task = self._gate.enter() if self._gate.quiescence.branches.live else None
        try:
            return await way(key, order, *args)
        except NonDeterministic as error:
            self._gate.poison(error)
            raise
        except (LeaseLost, JournalUnavailable):
            await self._gate.lost()
        finally:
            if task is not None:
                self._gate.leave(task)

    async def _recorded(self, row: Outcome, kind: str, order: int) -> None:
        if row.kind != kind:
            raise NonDeterministic(row.key, row.kind, kind)
        if row.ended:
            await self._record.in_turn(row.turn, order)

    async def _settle(self, call: Call, row: Outcome) -> Any:
        while not row.ended:
            if row.due:
                row = await self._record.change(call.key, call.order)
                continue
            tried = await self.attempts.make(call, row.attempts + 1)
            if tried is None:
                return call.value
            row = tried
        if row.state == "failed":
            raise step_failed(row)
        return self._bench.read(call, row.payload)

    async def _pause(self, ticket: Ticket, kind: str, begin: Callable[[str], Awaitable[Outcome]]) -> Outcome:
        """Begins something when it is first reached, and waits for its end."""
        return await self._inside(ticket, self._ended, kind, begin)

    async def _ended(self, key: str, order: int, kind: str, begin: Callable[[str], Awaitable[Outcome]]) -> Outcome:
        row = self._record.rows.pop(key, None)
        if row is None:
            row = await self._journaled(lambda: begin(key))
        await self._recorded(row, kind, order)
        while not row.ended:
            row = await self._record.change(key, order)
        return row

    async def _wait(
        self, key: str, kind: str, waits: Sequence[EventWait], delay: int | None, names: Sequence[str] = ()
    ) -> Outcome:
        return await self._journal.wait(key, kind, waits, delay=delay, until=None, due=b"null", names=names)

    async def _race(self, key: str, race: Race) -> Outcome:
        timer = race.timer(self.attempts.now)
        if timer is None:
            return await self._wait(key, ANY, race.waits, None, race.names)
        due = orjson.dumps([timer.name])
        return await self._journal.wait(
            key, ANY, race.waits, delay=timer.delay, until=timer.until, due=due, names=race.names
        )

    async def _invoke(self, key: str, call: Invocation) -> Outcome:
        return await self._journal.invoke(key, call.function, call.data, delay=call.delay, detach=call.detach)

    async def _send(self, key: str, order: int, events: Sequence[Mapping[str, Any]]) -> list[str]:
        row = self._record.rows.pop(key, None)
        if row is not None:
            await self._recorded(row, "send", order)
            return cast("list[str]", orjson.loads(row.payload))
        ids, turn = await self._journaled(lambda: self._publish(key, events))
        await self._record.in_turn(turn, order)
        return ids

    async def _publish(self, key: str, events: Sequence[Mapping[str, Any]]) -> tuple[list[str], int]:
        started = monotonic()
        ids = await self._journal.send(key, events)
        took = since(started)
        return ids, await self._journal.checkpoint(key, "send", True, 1, took, orjson.dumps(ids))

    async def _journaled(self, write: Callable[[], Awaitable[T]]) -> T:
        if self._gate.decision.phase is Phase.DRAINING:
            await self._gate.park()
        self.attempts.begun = True
        self._gate.quiescence.active += 1
        try:
            return await write()
        finally:
            self._gate.quiescence.landed()


def _unless_failed(row: Outcome) -> Outcome:
    if row.state == "failed":
        raise step_failed(row)
    return row
