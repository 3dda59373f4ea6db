"""The runs that execute in a partition."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import header_of
from stepwell.platform.records import RunRecord

MOST_RUNS = 5_000
"""Of one partition that are counted by function."""


async def executing_in(partition: Partition) -> list[RunRecord]:
    """The runs that workers have leased, without output and error."""
    name, found = partition.keys.name, list[RunRecord]()
    for session in await partition.read("ZRANGE", name("k_sessions"), 0, -1):
        runs: list[bytes] = await partition.read("SMEMBERS", name("k_held", session.decode()))
        records = await asyncio.gather(*[header_of(partition, run.decode()) for run in runs])
        found += [record for record in records if record]
    return found


async def executing_by_function(partitions: Sequence[Partition]) -> Counter[str]:
    """How many runs workers have of each function; of more than 5,000 in a partition, some are left out."""
    found = Counter[str]()
    for functions in await asyncio.gather(*map(_functions_in, partitions)):
        found.update(functions)
    return found


async def _functions_in(partition: Partition) -> list[str]:
    name, held = partition.keys.name, list[bytes]()
    for session in await partition.read("ZRANGE", name("k_sessions"), 0, -1):
        if len(held) < MOST_RUNS:
            held += await partition.read("SMEMBERS", name("k_held", session.decode()))
    headers = await asyncio.gather(*[header_of(partition, run.decode()) for run in held[:MOST_RUNS]])
    return [run.function for run in headers if run]


async def held_by(partitions: Sequence[Partition], sessions: Sequence[str]) -> dict[str, list[str]]:
    """The runs that sessions have leased, oldest first."""
    found = {session: list[str]() for session in sessions}
    for session, held in found.items():
        keys = [(partition, partition.keys.name("k_held", session)) for partition in partitions]
        for runs in await asyncio.gather(*[partition.read("SMEMBERS", key) for partition, key in keys]):
            held += [run.decode() for run in runs]
        held.sort()
    return found
