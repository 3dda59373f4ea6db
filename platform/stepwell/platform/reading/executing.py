"""The runs that execute in a partition."""

import asyncio

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import header_of


async def executing_in(partition: Partition) -> dict[str, str]:
    """Run id -> `app/function`, of the runs that workers have leased."""
    name, found = partition.keys.name, dict[str, str]()
    for session in await partition.read("ZRANGE", name("k_sessions"), 0, -1):
        runs: list[bytes] = await partition.read("SMEMBERS", name("k_held", session.decode()))
        records = await asyncio.gather(*[header_of(partition, run.decode()) for run in runs])
        found.update({record.id: record.function for record in records if record})
    return found
