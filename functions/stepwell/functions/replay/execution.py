"""One execution of a handler: from its lease to its ending."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

from stepwell.functions.annotations import underlying
from stepwell.functions.context import Context, SyncContext
from stepwell.functions.errors import NonRetriable
from stepwell.functions.function import Function
from stepwell.functions.journal import Journal, Outcome
from stepwell.functions.logbook import Opening
from stepwell.functions.misfits import misfit
from stepwell.functions.replay.attempts import since
from stepwell.functions.replay.decision import Decision, Phase
from stepwell.functions.replay.ending import Cancelled, Completed, Ending, Failed, Released, Retry
from stepwell.functions.replay.failures import failure
from stepwell.functions.replay.gate import Gate
from stepwell.functions.replay.ownership import OWNER, AnyTask, Owner, install
from stepwell.functions.replay.quiescence import Quiescence
from stepwell.functions.replay.record import Record
from stepwell.functions.replay.scribe import SCRIBE, Scribe
from stepwell.functions.replay.start import Start
from stepwell.functions.replay.steps import Steps
from stepwell.functions.replay.threads import Threads
from stepwell.functions.replay.turns import Turns
from stepwell.functions.replay.unwinding import unwind
from stepwell.functions.values import UNFIT, check_size


class Execution:
    """Runs a function's handler under a lease; to be made and used on the running loop.

    Args:
        function: whose handler is called.
        start: the run and what is recorded of it.
        journal: where outcomes of steps go.
        threads: the worker's, for `def` handlers and bodies.
        logbook: gives where what its code says goes; `None` for nowhere.
    """

    __slots__ = (
        "__weakref__",
        "_decision",
        "_drift",
        "_function",
        "_loop",
        "_owner",
        "_quiescence",
        "_record",
        "_scribe",
        "_start",
        "_steps",
    )

    def __init__(
        self,
        function: Function[Any],
        start: Start,
        journal: Journal,
        threads: Threads,
        logbook: Opening | None = None,
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._function = function
        self._start = start
        self._drift: list[str] = []
        self._decision = Decision(loop)
        self._quiescence = Quiescence(loop, self._decision, Turns(start.turn))
        self._owner = Owner(self._quiescence.branches.adopt)
        gate = Gate(function.name, self._decision, self._quiescence, self._owner, loop)
        self._record = Record(start.outcomes, self._quiescence, loop)
        self._steps = Steps(function, start, journal, threads, gate, self._record, loop)
        known = self._decision, self._record, self._steps.attempts
        self._scribe = None if logbook is None else Scribe(logbook, start.attempt, *known)

    @property
    def drift(self) -> list[str]:
        """After the end of the run: keys of recorded steps that the code does not ask for any more.

        A run that failed before it had come past its record has no drift: it may have failed before it asked.
        """
        return self._drift

    async def run(self) -> Ending:
        """Calls the handler and gives how that ended; once.

        Cancelled itself, it unwinds the handler and raises CancelledError.
        """
        install(self._loop)
        try:
            if self._begin():
                await self._decided()
            ending = self._ending()
            self._drift = self._unasked(ending)
            return ending
        finally:
            self._close()

    def resolve(self, outcome: Outcome) -> None:
        """A durable wait of this run has ended, or a retry is due: goes on with it."""
        if self._decision.phase is not Phase.UNWINDING:
            self._record.resolve(outcome)

    def cancel(self) -> None:
        """The run is to be cancelled: the handler sees CancelledError at its next await (in threads at the next step).

        Cleanup steps run; then, or when one of them would have to wait, the ending is `Cancelled`.
        """
        if self._decision.phase in (Phase.RUNNING, Phase.DRAINING):
            self._decision.phase = Phase.CANCELLING
            if self._quiescence.branches.main is not None:
                self._quiescence.branches.main.cancel()
            self._quiescence.poke()

    def abandon(self) -> None:
        """The lease is lost: unwinds now; nothing more is recorded, and the ending is `Released`."""
        self._decision.make(Released())

    @property
    def executing(self) -> list[tuple[str, int, int]]:
        """The steps whose bodies execute: key, which attempt it is, and ms since it began."""
        return [(call.key, call.tried, since(call.since)) for call in self._steps.attempts.executing.values()]

    def drain(self) -> None:
        """Lets step bodies in flight finish and be recorded, begins none, then ends as `Released`.

        A handler that needs no new step to come to its end still does.
        """
        if self._decision.phase is Phase.RUNNING:
            self._decision.phase = Phase.DRAINING
            self._quiescence.poke()

    def _begin(self) -> bool:
        if self._decision.phase is Phase.UNWINDING:
            return False
        try:
            context = self._context()
        except NonRetriable as error:
            self._decision.make(Failed(failure(error)))
            return False
        around = copy_context()
        around.run(OWNER.set, self._owner)
        if self._scribe is not None:
            around.run(SCRIBE.set, self._scribe)
        main: AnyTask = asyncio.Task(self._main(context), loop=self._loop, context=around)
        self._quiescence.branches.lead(main)
        main.add_done_callback(self._main_done)
        if self._decision.phase is Phase.CANCELLING:
            main.cancel()
        return True

    def _context(self) -> Context[Any] | SyncContext[Any]:
        made = Context if self._function.is_async else SyncContext
        return made(self._start, self._batch(), self._steps, self._scribe)

    def _batch(self) -> list[Any]:
        """The data of every event."""
        events, read = self._start.events, self._function.read
        if len(events) == 1:
            return [read(events[0].get("data"))]
        return [
            read(event.get("data"), f"the data of event {event['id']}, {number} of {len(events)},")
            for number, event in enumerate(events, 1)
        ]

    async def _main(self, context: Any) -> Any:
        handler = self._function.handler
        try:
            if self._function.is_async:
                return await handler(context)
            return await self._steps.serve(lambda: handler(context))
        except SystemExit as error:
            # It would end the worker; to leave its own function is all that a handler can ask for.
            raise RuntimeError(f"the handler raised SystemExit({error.code!r})") from None

    def _main_done(self, _: AnyTask) -> None:
        self._decision.make(Cancelled() if self._decision.phase is Phase.CANCELLING else None)

    async def _decided(self) -> None:
        try:
            await self._decision.made
        finally:
            self._decision.make(Released())
            await unwind(self._quiescence.branches, self._decision)

    def _ending(self) -> Ending:
        decision = self._decision
        if decision.ending is not None:
            return decision.ending
        if decision.poison is not None:
            return Failed(failure(decision.poison))
        return self._result()

    def _result(self) -> Ending:
        main = self._quiescence.branches.main
        assert main is not None
        if main.cancelled():
            return self._error(
                RuntimeError("the handler ended with CancelledError, though nobody has cancelled its run")
            )
        error = main.exception()
        if error is None or _trips_over_coroutine(error):
            error = self._steps.unawaited() or error
        return self._output(main.result()) if error is None else self._error(error)

    def _error(self, error: BaseException) -> Ending:
        tried = self._start.attempt + 1
        if self._function.retries.allows(error) and tried < self._start.max_attempts:
            return Retry(failure(error), self._function.retries.after(error, tried, self._steps.attempts.now))
        return Failed(failure(error))

    def _output(self, value: Any) -> Ending:
        try:
            return Completed(self._write(value))
        except NonRetriable as error:
            return Failed(failure(error))

    def _write(self, value: Any) -> bytes:
        function = self._function
        codec = function.output
        try:
            payload, _ = codec.write(value)
        except UNFIT as error:
            annotation = getattr(underlying(function.handler), "__annotations__", {}).get("return")
            raise misfit(function.name, "its handler", annotation, codec, value, error) from None
        check_size(payload, function.name, self._start.output_limit)
        return payload

    def _unasked(self, ending: Ending) -> list[str]:
        past_record = isinstance(ending, Completed) or (isinstance(ending, Failed) and self._steps.attempts.begun)
        return list(self._record.rows) if past_record else []

    def _close(self) -> None:
        self._owner.adopt = None
        self._quiescence.close()
        if self._scribe is not None:
            self._scribe.close()


def _trips_over_coroutine(error: BaseException) -> bool:
    """Whether Python says that a coroutine was taken for a value, as a step is that was called and not awaited."""
    return isinstance(error, (AttributeError, TypeError)) and "coroutine" in str(error)
