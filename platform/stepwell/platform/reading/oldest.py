"""The ends of the indexes of runs: the oldest that have not ended, and the latest that have failed."""

import asyncio
from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import headers_of
from stepwell.platform.records import RunRecord


async def oldest_of(partitions: Sequence[Partition], count: int) -> list[RunRecord]:
    """The oldest `count` runs that have not ended, oldest first."""
    keys = [(partition, partition.keys.name("k_live")) for partition in partitions]
    lists = await asyncio.gather(*[partition.read("ZRANGE", key, 0, count - 1) for partition, key in keys])
    oldest = sorted(run.decode() for runs in lists for run in runs)[:count]
    return [run for run in await headers_of(partitions, oldest) if run and not run.status.ended]


async def failing_of(partitions: Sequence[Partition], count: int) -> list[str]:
    """The functions of the `count` runs that were created last among those that have failed, each once."""
    keys = [(partition, partition.keys.name("k_outcome", "failed")) for partition in partitions]
    lists = await asyncio.gather(*[partition.read("ZRANGE", key, -count, -1) for partition, key in keys])
    latest = sorted((run.decode() for runs in lists for run in runs), reverse=True)[:count]
    return list(dict.fromkeys(run.function for run in await headers_of(partitions, latest) if run))
