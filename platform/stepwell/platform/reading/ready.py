"""Runs that could execute now, if somebody had time for them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition

MOST_LANES = 100


@dataclass(frozen=True, slots=True)
class Ready:
    """How many there are; `cut` when there are more, which were not counted."""

    runs: int
    cut: bool


async def ready_of(partitions: Sequence[Partition], function: str) -> Ready:
    """Those of a function, in `MOST_LANES` lanes of each partition at most; what waits for a slot is not among them."""
    found = await asyncio.gather(*[_in(partition, function) for partition in partitions])
    return Ready(sum(ready.runs for ready in found), any(ready.cut for ready in found))


async def _in(partition: Partition, function: str) -> Ready:
    keys = partition.keys
    lanes: Sequence[bytes] = await partition.read("ZRANGE", keys.name("k_lanes", function), 0, MOST_LANES)
    queues = [keys.name("k_queue", lane.decode()) for lane in lanes[:MOST_LANES]]
    counts: list[int] = list(await asyncio.gather(*[partition.read("ZCARD", queue) for queue in queues]))
    return Ready(sum(counts), len(lanes) > MOST_LANES)
