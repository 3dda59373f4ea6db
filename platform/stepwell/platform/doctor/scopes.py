"""Invariants of concurrency scopes: slots belong to running runs, and nobody waits behind a free one."""

from collections.abc import Iterable, Sequence

from stepwell.platform.doctor.runs import Ailment, read_live, scopes_of
from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import Status

MOST = 200
"""Members that are looked at of one scope or function."""


async def scopes_in(partition: Partition, lanes: Iterable[str]) -> list[str]:
    """The scopes of the lanes, and those that count all runs of a function alike."""
    limits: Sequence[bytes] = await partition.read("HKEYS", partition.keys.name("k_limits"))
    found = {f"{name[1:].decode()}|" for name in limits if name.startswith(b"#")}
    for lane in set(lanes):
        found.update(await scopes_of(partition, lane))
    return sorted(found)


async def examine_scope(partition: Partition, scope: str) -> list[Ailment]:
    """What is wrong with a scope."""
    return [*await _idle_holders(partition, scope), *await _forgotten(partition, scope)]


async def _idle_holders(partition: Partition, scope: str) -> list[Ailment]:
    holders: Sequence[bytes] = await partition.read("ZRANGE", partition.keys.name("k_slots", scope), 0, MOST - 1)
    return [
        Ailment(f"scope {scope}", f"run {id} holds a slot without running under it")
        for id in map(bytes.decode, holders)
        if not await _holds(partition, id, scope)
    ]


async def _holds(partition: Partition, run: str, scope: str) -> bool:
    found = await read_live(partition, run)
    return found is not None and found.record.status is Status.RUNNING and scope in found.scopes


async def _forgotten(partition: Partition, scope: str) -> list[Ailment]:
    """Lanes are parked behind free slots, and no lane is active that might take them and wake the next."""
    keys, name = partition.keys, scope.partition("|")[0]
    limit: bytes | None = await partition.read("HGET", keys.name("k_limits"), f"#{name}")
    if limit and not limit.isdigit():
        return await _untimed(partition, scope)
    held = await partition.read("ZCARD", keys.name("k_slots", scope))
    parked = await partition.read("ZCARD", keys.name("k_parked", scope))
    # Without a limit any more, the lanes are called when the last holder lets go.
    free = held == 0 if limit is None else held < int(limit)
    if not parked or not free or await _called(partition, scope):
        return []
    return [Ailment(f"scope {scope}", f"{parked} lanes are parked, though a slot is free ({held} are taken)")]


async def _untimed(partition: Partition, scope: str) -> list[Ailment]:
    """Lanes wait for a throttle, and no timer calls them."""
    keys = partition.keys
    parked = await partition.read("ZCARD", keys.name("k_parked", scope))
    timer = await partition.read("ZSCORE", keys.name("k_timers"), f"={scope}")
    if not parked or timer is not None:
        return []
    return [Ailment(f"scope {scope}", f"{parked} lanes are parked, and no timer calls them")]


async def _called(partition: Partition, scope: str) -> bool:
    for function in await _functions_of(partition, scope.partition("|")[0]):
        for name in (function, f"{function}!"):
            lanes: Sequence[bytes] = await partition.read("ZRANGE", partition.keys.name("k_lanes", name), 0, MOST - 1)
            for lane in lanes:
                if scope in await scopes_of(partition, lane.decode()):
                    return True
    return False


async def _functions_of(partition: Partition, name: str) -> list[str]:
    """The functions whose runs are behind a constraint; of one that is not in force any more, its own."""
    flat: Sequence[bytes] = await partition.read("HGETALL", partition.keys.name("k_limits"))
    limits = dict(zip(map(bytes.decode, flat[::2]), map(bytes.decode, flat[1::2]), strict=True))
    found = [one for one, names in limits.items() if not one.startswith("#") and name in names.split()]
    return found or [name.rpartition("#")[0]]
