"""Running the body of a step: where it runs, how long it may take, and what becomes of its value."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

from stepwell.functions.errors import InvalidValue
from stepwell.functions.misfits import misfit
from stepwell.functions.replay.call import Call
from stepwell.functions.replay.lines import Line
from stepwell.functions.replay.ownership import AnyTask, Loop
from stepwell.functions.replay.threads import Threads
from stepwell.functions.values import UNFIT, Bodies, Body, check_size, reason


class Bench:
    """Where the bodies of one execution are run.

    An `async def` body runs in the branch that called the step. A `def` body runs in a thread, so that it does not
    hold up the loop: of a `def` handler in its own, otherwise in one of the worker's.

    Args:
        name: of the function, for errors.
        bodies: what is known about its bodies.
        threads: of the worker.
        limit: bytes a body may give.
        loop: the execution runs on.
    """

    __slots__ = ("_limit", "_loop", "_name", "_threads", "bodies", "lines")

    def __init__(self, name: str, bodies: Bodies, threads: Threads, limit: int, loop: Loop) -> None:
        self.bodies = bodies
        self._name = name
        self._threads = threads
        self._limit = limit
        self._loop = loop
        self.lines: dict[AnyTask, Line] = {}

    async def run(self, call: Call, body: Body) -> Any:
        """Runs a body wherever it belongs.

        Raises:
            TimeoutError: the attempt took longer than it may.
            BaseException: whatever the body raises.
        """
        timeout = call.options.timeout
        if timeout is None:
            return await self._anywhere(call, body)
        clock = asyncio.timeout(timeout / 1000)
        try:
            async with clock:
                return await self._anywhere(call, body)
        except TimeoutError:
            if not clock.expired():
                raise
        raise TimeoutError(f"step {call.key!r} took longer than the {timeout} ms that one attempt may take")

    def write(self, call: Call, body: Body, value: Any) -> bytes:
        """The value as JSON; what will be read from that is left in the call.

        Raises:
            InvalidValue: the value cannot be recorded.
            LimitExceeded: it is too large.
        """
        try:
            payload, call.value = body.codec.write(value)
        except UNFIT as error:
            what = f"{self._name}: step {call.key!r}"
            raise misfit(what, body.name, body.annotation, body.codec, value, error) from None
        if len(payload) > self._limit:
            check_size(payload, f"{self._name}: step {call.key!r}", self._limit)
        return payload

    def read(self, call: Call, payload: bytes) -> Any:
        """The value that is recorded as `payload`.

        Raises:
            InvalidValue: it is not what the body's annotation says.
        """
        body = self.bodies.of(call.fn)
        try:
            return body.codec.read(payload)
        except UNFIT as error:
            raise InvalidValue(
                f"{self._name}: what step {call.key!r} has recorded is not what {body.name} is annotated to return: "
                f"{reason(error)}"
            ) from None

    async def _anywhere(self, call: Call, body: Body) -> Any:
        value = await call.invoke() if body.is_async else await self._in_thread(call)
        # A lambda around an `async def` is a `def` that gives a coroutine.
        return await value if inspect.isawaitable(value) else value

    async def _in_thread(self, call: Call) -> Any:
        task = asyncio.current_task(self._loop)
        line = self.lines.get(task) if task is not None else None
        # A thread cannot be stopped, so one with a timeout is not the handler's, which has to go on.
        if line is not None and call.options.timeout is None:
            value, error = await line.body(call.key, call.invoke)
        else:
            value, error = await self._threads.call(self._loop, call.invoke)
        if error is not None:
            raise error
        return value
