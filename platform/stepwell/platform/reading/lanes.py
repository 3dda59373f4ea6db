"""What a lane waits for: a pause, slots, or its turn by a throttle."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.key import shown
from stepwell.platform.flow.moves import is_move
from stepwell.platform.reading.wait import Wait
from stepwell.platform.records import RunRecord

MOST_HOLDERS = 10
THROTTLE = b"throttle "


class Scope(NamedTuple):
    """A constraint at one value of its key."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}|{self.value}"


async def what_lane_waits_for(partition: Partition, run: RunRecord, lane: str) -> list[Wait]:
    """Everything that keeps the runs of a lane from being leased, or those that have not begun."""
    paused = await _pause(partition, run)
    names: bytes | None = await partition.read("HGET", partition.keys.name("k_limits"), run.function)
    scopes = list(_scopes(names or b"", lane))
    waits = await asyncio.gather(*[_wait(partition, scope, lane) for scope in scopes])
    ahead: int | None = await partition.read("ZRANK", partition.keys.name("k_queue", lane), run.id)
    return [replace(wait, ahead=ahead) for wait in (paused, *waits) if wait]


def _scopes(names: bytes, lane: str) -> Iterator[Scope]:
    values = lane.split("|")[1:]
    # A lane that is older than a constraint has no value of it.
    for name, value in zip_longest(names.decode().split(), values, fillvalue=""):
        if name:
            yield Scope(name, value)


async def _pause(partition: Partition, run: RunRecord) -> Wait | None:
    paused: bytes | None = await partition.read("HGET", partition.keys.name("k_paused"), run.function)
    mode = (paused or b"").decode().partition(" ")[0]
    waits = mode == "keep" or (mode == "hold" and not run.started)
    return Wait("paused", mode=mode) if waits else None


async def _wait(partition: Partition, scope: Scope, lane: str) -> Wait | None:
    keys = partition.keys
    position, rule = await asyncio.gather(
        partition.read("ZRANK", keys.name("k_parked", str(scope)), lane),
        partition.read("HGET", keys.name("k_limits"), f"#{scope.name}"),
    )
    if position is None:
        return None
    if is_move(scope.name):
        return Wait("moved", position=position)
    if rule and rule.startswith(THROTTLE):
        due = await partition.read("ZSCORE", keys.name("k_timers"), f"={scope}")
        return Wait("throttle", key=shown(scope.value), until=int(float(due)) if due else None, position=position)
    slots = keys.name("k_slots", str(scope))
    held, holders = await asyncio.gather(
        partition.read("ZCARD", slots), partition.read("ZRANGE", slots, 0, MOST_HOLDERS - 1)
    )
    return Wait(
        "concurrency",
        key=shown(scope.value),
        limit=int(rule or 0),
        held=held,
        holders=tuple(map(bytes.decode, holders)),
        position=position,
    )
