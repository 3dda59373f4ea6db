"""Delivers runs to the partition they are at home in, when that is not their event's."""

from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Creation, Runs

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
