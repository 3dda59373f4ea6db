"""Delivers runs to the partition they are at home in, when that is not their event's."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any

from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Creation, Runs
from stepwell.platform.errors import StepwellError

BATCH = 64


class Outbox:
    """The undelivered creations of one partition.

    Delivering twice, or by two processes at once, creates nothing twice.
    """

    __slots__ = ("_source", "_targets")

    def __init__(self, source: Partition, targets: Sequence[Runs]) -> None:
        self._source = source
        self._targets = targets

    async def deliver(self) -> int:
        """Delivers what waits now, in order for each target; answers how many runs."""
        waiting = await self._source.read("SMEMBERS", self._source.keys.name("k_outboxes"))
        return sum([await self._deliver_to(int(target)) for target in waiting])

    async def _deliver_to(self, target: int) -> int:
        key = self._source.keys.name("k_outbox", str(target))
        rows = await self._source.read("XRANGE", key, "-", "+", "COUNT", BATCH)
        if rows:
            await self._targets[target].create([await self._creation(fields) for _, fields in rows])
        await self._source.script("delivered", target, items=[(position,) for position, _ in rows])
        return len(rows)

    async def _creation(self, fields: Sequence[bytes]) -> Creation:
        row = dict(zip(fields[::2], (value.decode() for value in fields[1::2]), strict=True))
        record = await self._source.read("GET", self._source.keys.name("k_event", row[b"event"]))
        return Creation(row[b"run"], row[b"lane"], row[b"version"], row[b"event"], int(row[b"due"]), record)


class Outboxes:
    """The outboxes of all partitions, delivered by whoever fills them; the scheduler sees to what is left."""

    __slots__ = ("_busy", "_more", "_outboxes")

    def __init__(self, partitions: Sequence[Partition]) -> None:
        targets = [Runs(partition, 0) for partition in partitions]
        self._outboxes = [Outbox(partition, targets) for partition in partitions]
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._more: set[int] = set()

    def hurry(self, source: int) -> Callable[[Any], None]:
        """A callback that has the outbox of a partition delivered now."""

        def deliver(_: object) -> None:
            self._more.add(source)
            if source not in self._busy:
                # A context of its own: it serves others than the task that has put something in.
                self._busy[source] = asyncio.create_task(self._deliver(source), context=Context())

        return deliver

    async def _deliver(self, source: int) -> None:
        try:
            while source in self._more:
                self._more.discard(source)
                with suppress(StepwellError):
                    while await self._outboxes[source].deliver() >= BATCH:
                        pass
        finally:
            del self._busy[source]
