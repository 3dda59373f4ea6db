"""Notices the ends of runs without asking the server: what is published with each end is read from Redis.

A client that held a response open for each of 1,000 runs would be measured, and not the platform.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

from bench.figure import BenchFailed
from stepwell.platform.store.keys import ENDED
from stepwell.platform.store.store import Store

PATIENCE = 120.0
"""Seconds after which runs that have not ended are taken for lost."""


class Endings:
    """The runs that have ended since it began to listen: `status` by id, and id by the event that started it."""

    def __init__(self) -> None:
        self.status: dict[str, str] = {}
        self.run_of: dict[str, str] = {}
        self._more = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def of(cls, store: Store) -> AsyncGenerator["Endings"]:
        """Listens while the block runs."""
        endings = cls()
        listening = asyncio.create_task(endings._listen(store))
        try:
            await endings._more.wait()
            yield endings
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def _listen(self, store: Store) -> None:
        async with store.subscribe(ENDED) as messages:
            async for message in messages:
                for line in message[1].decode().splitlines() if message else ():
                    run, event, status, *_ = line.split(" ", 3)
                    self.status[run], self.run_of[event] = status, run
                self._more.set()

    async def reach(self, count: int) -> None:
        """Waits until so many runs have ended, for at most two minutes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while len(self.status) < count:
                    self._more.clear()
                    await self._more.wait()

    async def of_events(self, events: Sequence[str]) -> list[str]:
        """The runs that events started, when all have ended. Raises `BenchFailed` when that takes over two minutes."""
        try:
            async with asyncio.timeout(PATIENCE):
                for event in events:
                    while event not in self.run_of:
                        self._more.clear()
                        await self._more.wait()
        except TimeoutError:
            left = sum(event not in self.run_of for event in events)
            raise BenchFailed(f"{left} of {len(events)} runs have not ended") from None
        return [self.run_of[event] for event in events]

    async def complete(self, count: int) -> None:
        """The same, for runs that all have to be completed. Raises `BenchFailed`."""
        await self.reach(count)
        if completed(self.status.values()) < count:
            raise BenchFailed(f"only {completed(self.status.values())} of {count} runs were completed")


def completed(statuses: Iterable[str]) -> int:
    """How many are."""
    return sum(status == "completed" for status in statuses)
