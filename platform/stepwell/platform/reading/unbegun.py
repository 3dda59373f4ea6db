"""Whether a partition has runs of a function that are ready and have not begun."""

from collections.abc import AsyncIterator

from stepwell.platform.engine.partition import Partition

PAGE = 1_000


async def has_unbegun(partition: Partition, function: str) -> bool:
    """Whether it has such runs; those that are to begin later, or gather events, are not ready."""
    queue = partition.keys.name("k_queue")
    async for lane in _lanes(partition, function):
        # Those that have begun are before all others.
        if await partition.read("ZCOUNT", f"{queue}{lane}", 0, "+inf"):
            return True
    return False


async def _lanes(partition: Partition, function: str) -> AsyncIterator[str]:
    name = partition.keys.name
    async for lane in _parked(partition, function):
        yield lane
    async for lane in _members(partition, name("k_lanes", function)):
        yield lane
    # Again: one may have been parked meanwhile.
    async for lane in _parked(partition, function):
        yield lane


async def _parked(partition: Partition, function: str) -> AsyncIterator[str]:
    name = partition.keys.name
    async for scope in _members(partition, name("k_blocked")):
        constraint, _, value = scope.partition("|")
        owner = value if constraint == "pause" else constraint.partition("#")[0]
        if ("#" in constraint or constraint == "pause") and owner != function:
            continue
        async for lane in _members(partition, name("k_parked", scope)):
            if lane.partition("|")[0] == function:
                yield lane


async def _members(partition: Partition, key: str) -> AsyncIterator[str]:
    cursor = b"0"
    while True:
        cursor, page = await partition.read("ZSCAN", key, cursor, "COUNT", PAGE)
        for member in page[::2]:
            yield member.decode()
        if cursor == b"0":
            return
