"""The events of a batch, which may be large together."""

from collections.abc import AsyncIterator, Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import EventRecord

AT_ONCE = 16
"""That are read in a call."""


async def gathered_by(partition: Partition, run: str) -> list[str]:
    """Ids of the events of a run behind its first, in order of arrival."""
    ids: list[bytes] = await partition.read("LRANGE", partition.keys.name("k_gathered", run), 0, -1)
    return [id.decode() for id in ids]


async def records_of(partition: Partition, ids: Sequence[str]) -> AsyncIterator[EventRecord]:
    """These events, as far as they are kept."""
    for first in range(0, len(ids), AT_ONCE):
        some = ids[first : first + AT_ONCE]
        records = await partition.read("MGET", *[partition.keys.name("k_event", id) for id in some])
        for id, record in zip(some, records, strict=True):
            if record:
                yield EventRecord.parse(id, record)
