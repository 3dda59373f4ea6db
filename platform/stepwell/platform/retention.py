"""Retention: finished runs and old events go after some days, or sooner when memory is short; the oldest first."""

import asyncio
from collections.abc import Sequence

import structlog

from stepwell.platform.clock import Clock
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.ticks import BATCH, Ticks
from stepwell.platform.errors import ScriptFault, StepwellError
from stepwell.platform.settings import Settings

PERIOD = 5.0
"""Seconds between two looks."""
DAY = 86_400_000


class Retention:
    """Trims every partition."""

    __slots__ = ("_clock", "_days", "_partitions", "_share", "_ticks")

    def __init__(
        self, partitions: Sequence[Partition], ticks: Sequence[Ticks], clock: Clock, settings: Settings
    ) -> None:
        self._partitions = partitions
        self._ticks = ticks
        self._clock = clock
        self._days = settings.retention_days
        self._share = settings.retention_memory

    async def run(self) -> None:
        """Trims until cancelled."""
        while True:
            try:
                await self.trim()
            except StepwellError as error:
                structlog.get_logger().warning("retention_failed", error=str(error))
            await asyncio.sleep(PERIOD)

    async def trim(self) -> int:
        """Removes what is too old, and while memory is short also what is not; answers how many runs."""
        now = self._clock.now()
        return sum([await self._trim(index, now) for index in range(len(self._partitions))])

    async def _trim(self, index: int, now: int) -> int:
        before = now - int(self._days * DAY)
        removed = 0
        while True:
            runs = await self._ticks[index].trim_runs(before)
            events = await self._ticks[index].trim_events(before)
            removed += runs
            if max(runs, events) < BATCH:
                if before > now or not await self._short_of_memory(index):
                    return removed
                # Everything that has ended may go; what is needed least, the oldest, goes first, a batch at a time.
                before = now + 1
            elif before > now and not await self._short_of_memory(index):
                return removed

    async def _short_of_memory(self, index: int) -> bool:
        """Whether the server of a partition uses more than the share of its `maxmemory`; never without one."""
        try:
            text: bytes = await self._partitions[index].read("INFO", "memory")
        except ScriptFault:
            return False  # a server that keeps this to itself, such as fakeredis
        facts = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
        limit = int(facts.get(b"maxmemory", 0))
        return limit > 0 and int(facts[b"used_memory"]) > limit * self._share
