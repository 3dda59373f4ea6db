"""Retention: finished runs and old events go after some days, or sooner when memory is short; the oldest first."""

import asyncio
from collections.abc import Sequence

import structlog

from stepwell.platform.bulk.jobs import Jobs
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.ticks import BATCH, Ticks
from stepwell.platform.errors import ScriptFault, StepwellError
from stepwell.platform.settings import Settings

PERIOD = 5.0
"""Seconds between two looks."""
DAY = 86_400_000
RECENT = 60_000
"""Ms for which even short memory keeps what has ended: a repeated call has to find what it did the first time."""


class Retention:
    """Trims every partition."""

    __slots__ = ("_age", "_jobs", "_partitions", "_share", "_ticks")

    def __init__(self, partitions: Sequence[Partition], ticks: Sequence[Ticks], settings: Settings) -> None:
        self._partitions = partitions
        self._ticks = ticks
        self._jobs = Jobs(partitions[0])
        self._age = int(settings.retention_days * DAY)
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
        """Removes what is too old, and while memory is short also what is not; answers how many runs.

        Raises `StepwellError` when a partition is out of reach, after the others were trimmed.
        """
        indexes = range(len(self._partitions))
        trimmed = await asyncio.gather(*[self._trim(index) for index in indexes], return_exceptions=True)
        for failure in trimmed:
            if isinstance(failure, BaseException):
                raise failure
        await self._jobs.trim(self._age)
        return sum(count for count in trimmed if isinstance(count, int))

    async def _trim(self, index: int) -> int:
        removed, more = await self._remove(index, self._age)
        while more:
            runs, more = await self._remove(index, self._age)
            removed += runs
        return removed + await self._make_room(index)

    async def _make_room(self, index: int) -> int:
        """What is needed least, the oldest, goes first, a batch at a time."""
        removed, more = 0, True
        while more and await self._short_of_memory(index):
            runs, more = await self._remove(index, min(self._age, RECENT))
            removed += runs
        return removed

    async def _remove(self, index: int, age: int) -> tuple[int, bool]:
        """Runs removed in one batch, and whether there may be more to remove."""
        runs = await self._ticks[index].trim_runs(age)
        events = await self._ticks[index].trim_events(age)
        return runs, max(runs, events) == BATCH

    async def _short_of_memory(self, index: int) -> bool:
        """Whether the server of a partition uses more than the share of its `maxmemory`; never without one."""
        try:
            text: bytes = await self._partitions[index].read("INFO", "memory")
        except ScriptFault:
            return False  # a server that keeps this to itself, such as fakeredis
        facts = dict(line.split(b":", 1) for line in text.splitlines() if b":" in line)
        limit = int(facts.get(b"maxmemory", 0))
        return limit > 0 and int(facts[b"used_memory"]) > limit * self._share
