"""How much is kept besides runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition


@dataclass(frozen=True, slots=True)
class Stored:
    """What there is in all partitions.

    Args:
        events: in the log.
        timers: of sleeps, waits, retries and starts.
        undelivered: runs on their way from one partition to another.
    """

    events: int
    timers: int
    undelivered: int


async def stored_of(partitions: Sequence[Partition]) -> Stored:
    """Counted without looking at any of it."""
    found = await asyncio.gather(*map(_stored, partitions))
    return Stored(*(sum(column) for column in zip(*found, strict=True)))


async def _stored(partition: Partition) -> tuple[int, int, int]:
    name = partition.keys.name
    events, timers, targets = await asyncio.gather(
        partition.read("XLEN", name("k_log")),
        partition.read("ZCARD", name("k_timers")),
        partition.read("SMEMBERS", name("k_outboxes")),
    )
    keys = [name("k_outbox", target.decode()) for target in targets]
    waiting: list[int] = await asyncio.gather(*[partition.read("XLEN", key) for key in keys])
    return events, timers, sum(waiting)
