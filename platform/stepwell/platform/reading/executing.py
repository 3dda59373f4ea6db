"""The runs that execute in a partition."""

import asyncio

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import header_of
from stepwell.platform.records import RunRecord


async def executing_in(partition: Partition) -> list[RunRecord]:
    """The runs that workers have leased, without output and error."""
    name, found = partition.keys.name, list[RunRecord]()
    for session in await partition.read("ZRANGE", name("k_sessions"), 0, -1):
        runs: list[bytes] = await partition.read("SMEMBERS", name("k_held", session.decode()))
        records = await asyncio.gather(*[header_of(partition, run.decode()) for run in runs])
        found += [record for record in records if record]
    return found
