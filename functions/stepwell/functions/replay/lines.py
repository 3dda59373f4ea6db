"""A `def` handler runs in a thread; on the loop a task stands for it and does its steps.

The thread and the task talk over a line: the thread asks for a step, the task performs it with the same code as an
`async def` handler, hands the body back to the thread, and answers. So a branch of a `def` handler is a task like any
other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar, copy_context
from queue import SimpleQueue
from typing import Any, Final

from stepwell.functions.replay.crossing import Crossing
from stepwell.functions.replay.decision import Decision, Phase
from stepwell.functions.replay.ownership import OWNER, Loop
from stepwell.functions.replay.quiescence import Quiescence
from stepwell.functions.replay.threads import Call, Threads, attempt

Asked = Callable[[], Coroutine[Any, Any, Any]]
Result = tuple[Any, BaseException | None]


class Suspend(BaseException):
    """Unwinds a handler's thread; whatever it does then is ignored."""


class Line:
    """Between a handler's thread and the task that stands for it.

    Args:
        threads: where the thread comes from.
        decision: of the run.
        quiescence: told whether the thread is between two steps.
        loop: of the task.
    """

    __slots__ = (
        "_arrival",
        "_asked",
        "_body",
        "_crossing",
        "_decision",
        "_ended",
        "_inbox",
        "_interrupted",
        "_loop",
        "_quiescence",
        "_threads",
    )

    def __init__(self, threads: Threads, decision: Decision, quiescence: Quiescence, loop: Loop) -> None:
        self._loop = loop
        self._threads = threads
        self._decision = decision
        self._quiescence = quiescence
        self._crossing: Crossing = threads.crossing(loop)
        self._inbox: SimpleQueue[tuple[str | None, Any, BaseException | None]] = SimpleQueue()
        self._arrival: asyncio.Future[None] | None = None
        self._asked: Asked | None = None
        self._ended: Result | None = None
        self._body: asyncio.Future[Result] | None = None
        self._interrupted = False

    # In the thread

    def ask(self, step: Asked) -> Any:
        """Has the task perform a step, runs its body here if it has one, and gives its outcome."""
        self._crossing.post(self._receive_asked, step)
        while True:
            key, value, error = self._inbox.get()
            if key is not None:
                self._crossing.post(self._receive_body, _run_body(key, value))
            elif error is not None:
                raise error
            else:
                return value

    def _work(self, handler: Call) -> None:
        LINE.set(self)
        self._crossing.post(self._receive_end, attempt(handler))

    # On the loop

    async def serve(self, handler: Call) -> Any:
        """Runs a handler in a thread and performs its steps; gives what it returned."""
        context = copy_context()
        self._quiescence.busy.add(self)
        self._threads.handle(lambda: context.run(self._work, handler))
        while self._ended is None:
            await self._next()
        value, error = self._ended
        if error is not None and not isinstance(error, Suspend):
            raise error
        return value

    async def body(self, key: str, call: Call) -> Result:
        """Has the thread run a step's body."""
        self._body = self._loop.create_future()
        self._inbox.put((key, call, None))
        return await self._body

    async def _next(self) -> None:
        if self._asked is None:
            await self._arrive()
            return
        asked, self._asked = self._asked, None
        value, error = (None, self._stop()) if self._interrupted else await self._perform(asked)
        self._interrupted = False
        self._quiescence.busy.add(self)
        self._inbox.put((None, value, error))

    async def _arrive(self) -> None:
        self._arrival = self._loop.create_future()
        try:
            await self._arrival
        except asyncio.CancelledError:
            # The thread cannot be stopped where it is: it hears of it at its next step.
            self._interrupted = True

    async def _perform(self, asked: Asked) -> Result:
        try:
            return await asked(), None
        except asyncio.CancelledError:
            return None, self._stop()
        except BaseException as error:
            return None, error

    def _stop(self) -> BaseException:
        return Suspend() if self._decision.phase is Phase.UNWINDING else asyncio.CancelledError()

    def _receive_asked(self, step: Asked) -> None:
        self._asked = step
        self._rest()

    def _receive_end(self, result: Result) -> None:
        self._ended = result
        self._threads.handled()
        self._rest()

    def _receive_body(self, result: Result) -> None:
        if self._body is not None and not self._body.done():
            self._body.set_result(result)

    def _rest(self) -> None:
        self._quiescence.busy.discard(self)
        self._quiescence.stir()
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


LINE: Final[ContextVar[Line | None]] = ContextVar("stepwell-line", default=None)


def _run_body(key: str, call: Call) -> Result:
    token = OWNER.set(key)
    try:
        return attempt(call)
    finally:
        OWNER.reset(token)
