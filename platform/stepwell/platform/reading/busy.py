"""Whether a partition has runs of a function that are ready or execute."""

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import header_of

PAGE = 1_000


async def is_busy(partition: Partition, function: str) -> bool:
    """Whether it has such runs, or may have; those that sleep or wait for something do not count."""
    return (
        await _is_ready(partition, function)
        or await _is_parked(partition, function)
        or await _executes(partition, function)
    )


async def _is_ready(partition: Partition, function: str) -> bool:
    name = partition.keys.name
    return bool(await partition.read("EXISTS", name("k_lanes", function), name("k_lanes", f"{function}!")))


async def _is_parked(partition: Partition, function: str) -> bool:
    blocked = partition.keys.name("k_blocked")
    version = await partition.read("HGET", partition.keys.name("k_meta"), "registry")
    if await partition.read("ZCOUNT", blocked, "-inf", f"({int(version or 0)}"):
        return True  # They are yet to be called up by the limits in force.
    cursor = b"0"
    while True:
        cursor, page = await partition.read("ZSCAN", blocked, cursor, "COUNT", PAGE)
        for scope in page[::2]:
            if await _parks(partition, scope.decode(), function):
                return True
        if cursor == b"0":
            return False


async def _parks(partition: Partition, scope: str, function: str) -> bool:
    name, _, value = scope.partition("|")
    if "#" in name or name == "pause":
        return function in (name.partition("#")[0], value)
    parked, cursor = partition.keys.name("k_parked", scope), b"0"
    while True:
        cursor, page = await partition.read("ZSCAN", parked, cursor, "COUNT", PAGE)
        if any(lane.decode().partition("|")[0].removesuffix("!") == function for lane in page[::2]):
            return True
        if cursor == b"0":
            return False


async def _executes(partition: Partition, function: str) -> bool:
    name = partition.keys.name
    for session in await partition.read("ZRANGE", name("k_sessions"), 0, -1):
        for run in await partition.read("SMEMBERS", name("k_held", session.decode())):
            record = await header_of(partition, run.decode())
            if record is not None and record.function == function:
                return True
    return False
