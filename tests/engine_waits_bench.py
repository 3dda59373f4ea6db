"""Errands on a bench: each call they make to the store waits until it is let through, or is cut off."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ingest import Ingest
from stepwell.platform.outbox import Outbox
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.store.connection import Argument, Limits, Reply
from stepwell.platform.store.routes import Routes
from stepwell.platform.store.scripts import LUA, Item, Scripts
from stepwell.platform.store.store import Store
from stepwell.platform.store.topology import Topology
from stepwell.platform.waits.waits import Waits

SETTINGS = Settings()
Done = Callable[[Reply, Exception | None], None]


class Gate(Store):
    """The store as one process sees it: its calls are kept in `calls` until somebody makes them."""

    def __init__(self, routes: Routes, scripts: Scripts, partitions: int) -> None:
        super().__init__(routes, scripts, partitions)
        self.calls: list[Callable[[], Awaitable[None]]] = []
        self.cut = False

    async def call(self, partition: int, *command: Argument, retry: bool = True) -> Reply:
        """See `Store`."""
        return await self._wait(lambda: super(Gate, self).call(partition, *command, retry=retry))

    async def script(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item] = ()) -> Reply:
        """See `Store`."""
        return await self._wait(lambda: super(Gate, self).script(partition, name, fixed, items))

    def begin(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item], done: Done) -> None:
        """See `Store`."""

        async def make() -> None:
            reply = await super(Gate, self).script(partition, name, fixed, items)
            if not self.cut:
                done(reply, None)

        self.calls.append(make)

    async def _wait(self, work: Callable[[], Awaitable[Reply]]) -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        async def make() -> None:
            reply = await work()
            if not answer.done():
                answer.set_result(reply)

        self.calls.append(make)
        return await answer


class Process:
    """One that does the errands of a partition, a call at a time."""

    def __init__(self, gate: Gate, clock: Clock, registry: Registry, home: int) -> None:
        self._gate = gate
        partitions = partitions_of(gate, clock)
        errands = errands_over(partitions, registry, clock).errands[home]
        outbox = Outbox(partitions[home], [Runs(partition, 0) for partition in partitions])

        async def work() -> None:
            await outbox.empty()
            await errands.empty()

        self.task = asyncio.create_task(work())

    async def step(self, number: int) -> None:
        """Makes one of the calls that it is about to make."""
        await breathe()
        if self._gate.calls:
            await self._gate.calls.pop(number % len(self._gate.calls))()
            await breathe()
        if self.task.done():
            self.task.result()

    async def die(self, number: int, *, after: bool) -> None:
        """It dies: before one of its calls, or after it and before the answer."""
        await breathe()
        calls, self._gate.cut = self._gate.calls, True
        self.task.cancel()
        with suppress(asyncio.CancelledError, StoreUnavailable):
            await self.task
        if after and calls:
            await calls[number % len(calls)]()


async def breathe() -> None:
    """Lets every task go on until it waits for the store."""
    for _ in range(30):
        await asyncio.sleep(0)


def errands_over(partitions: Sequence[Partition], registry: Registry, clock: Clock) -> Waits:
    """The parts that do errands; nothing hurries them."""
    return Waits.over(partitions, registry, ingest_over(partitions, registry, clock), SETTINGS, clock)


class Slow(Ingest):
    """Takes events in, and leaves to others what follows from them."""

    __slots__ = ()

    def __init__(self, partitions: Sequence[Partition], registry: Registry, clock: Clock) -> None:
        super().__init__(partitions, registry, clock)
        self._outboxes = None

    def connect(self, hurry: Any) -> None:
        """See `Ingest`."""


def ingest_over(partitions: Sequence[Partition], registry: Registry, clock: Clock) -> Ingest:
    """Takes events in; their runs elsewhere and their waits are left to be seen to."""
    return Slow(partitions, registry, clock)


@asynccontextmanager
async def gates_over(
    topology: Topology, partitions: int, folder: Path = LUA
) -> AsyncGenerator[tuple[Store, Callable[[], Gate]]]:
    """A store, and a maker of what further processes see of it."""
    routes, scripts = Routes(topology, Limits.of(SETTINGS)), Scripts.load(topology.flavour, folder)
    try:
        store = Store(routes, scripts, partitions)
        await store.reach()
        yield store, lambda: Gate(routes, scripts, partitions)
    finally:
        await routes.aclose()
