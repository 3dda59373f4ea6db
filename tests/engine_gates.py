"""Processes on a bench: each call they make to the store waits until it is let through, or is cut off."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from stepwell.platform.clock import Clock
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.settings import Settings
from stepwell.platform.store.connection import Argument, Limits, Reply
from stepwell.platform.store.routes import Routes
from stepwell.platform.store.scripts import LUA, Item, Scripts
from stepwell.platform.store.store import Store
from stepwell.platform.store.topology import Topology

T = TypeVar("T")
Done = Callable[[Reply, Exception | None], None]
Watch = Callable[[int, str, Sequence[Argument], Sequence[Item], Reply], Awaitable[None]]
"""Is told of each script: partition, name, arguments, items and reply."""


class Call:
    """A call that is about to be made."""

    def __init__(self, work: Callable[[], Awaitable[Reply]], done: Callable[[Reply], None]) -> None:
        self._work = work
        self._done = done

    async def make(self, *, answered: bool = True) -> None:
        """Makes it. May be repeated, as after an answer that was lost."""
        reply = await self._work()
        if answered:
            self._done(reply)


class Gate(Store):
    """The store as one process sees it: its calls are kept in `calls` until somebody makes them.

    Scripts get the time of `clock` at which they are made, as from Redis. `watch` is told of those that
    are called one at a time, if there is one.
    """

    def __init__(self, routes: Routes, scripts: Scripts, partitions: int, clock: Clock) -> None:
        super().__init__(routes, scripts, partitions)
        self._clock = clock
        self.calls: list[Call] = []
        self._answers: set[asyncio.Future[Reply]] = set()
        self._cut = False
        self.watch: Watch | None = None

    async def call(self, partition: int, *command: Argument, retry: bool = True) -> Reply:
        """See `Store`."""
        return await self._wait(lambda: super(Gate, self).call(partition, *command, retry=retry))

    async def script(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item] = ()) -> Reply:
        """See `Store`."""

        async def work() -> Reply:
            timed = self._timed(fixed)
            reply = await super(Gate, self).script(partition, name, timed, items)
            if self.watch:
                await self.watch(partition, name, timed, items, reply)
            return reply

        return await self._wait(work)

    def begin(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item], done: Done) -> None:
        """See `Store`."""

        def answer(reply: Reply) -> None:
            if not self._cut:
                done(reply, None)

        self.calls.append(Call(lambda: super(Gate, self).script(partition, name, self._timed(fixed), items), answer))

    def _timed(self, fixed: Sequence[Argument]) -> Sequence[Argument]:
        """The arguments of a script that is made now, however long ago it was about to be."""
        return self._clock.argument(), *fixed[1:]

    async def _wait(self, work: Callable[[], Awaitable[Reply]]) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(reply: Reply) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.calls.append(Call(work, done))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)
        return await answer

    def cut(self) -> list[Call]:
        """Nobody gets an answer any more; gives the calls that were about to be made."""
        self._cut = True
        for answer in [*self._answers]:
            answer.cancel()
        return self.calls


class Process:
    """One that does some work, a call at a time."""

    def __init__(self, gate: Gate, work: Coroutine[Any, Any, Any]) -> None:
        self.gate = gate
        self.task = asyncio.create_task(work)

    async def step(self, number: int, *, twice: bool = False) -> None:
        """Makes one of the calls that it is about to make; `twice`, if the first answer is lost."""
        await breathe()
        if self.gate.calls:
            call = self.gate.calls.pop(number % len(self.gate.calls))
            if twice:
                await call.make(answered=False)
            await call.make()
            await breathe()
        if self.task.done():
            self.task.result()

    async def finish(self) -> None:
        """Makes all that are left."""
        while not self.task.done():
            await self.step(0)

    async def die(self, number: int, *, after: bool) -> None:
        """It dies: before one of its calls, or after it and before the answer."""
        await breathe()
        self.task.cancel()
        calls = self.gate.cut()
        with suppress(asyncio.CancelledError, StoreUnavailable):
            await self.task
        if after and calls:
            await calls[number % len(calls)].make()


async def breathe() -> None:
    """Lets every task go on until it waits for the store."""
    for _ in range(30):
        await asyncio.sleep(0)


@asynccontextmanager
async def gates_over(
    topology: Topology, partitions: int, folder: Path = LUA
) -> AsyncGenerator[tuple[Store, Callable[[Clock], Gate]]]:
    """A store, and a maker of what further processes see of it."""
    routes, scripts = Routes(topology, Limits.of(Settings())), Scripts.load(topology.flavour, folder)
    try:
        store = Store(routes, scripts, partitions)
        await store.reach()
        yield store, lambda clock: Gate(routes, scripts, partitions, clock)
    finally:
        await routes.aclose()


class Workbench:
    """An engine that is opened once and emptied before each example, because opening costs more than an example."""

    def __init__(self, topology: Topology, partitions: int, folder: Path = LUA) -> None:
        self.runner = asyncio.Runner()
        self.loop = self.runner.get_loop()
        self._stack = AsyncExitStack()
        self.store, self.gate = self.run(self._stack.enter_async_context(gates_over(topology, partitions, folder)))

    def run(self, work: Awaitable[T]) -> T:
        """Runs it; cheaper than the runner does, which prepares for signals each time."""
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        """Closes all."""
        self.run(self._stack.aclose())
        self.runner.close()
