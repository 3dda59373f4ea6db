"""How much each function has to do: runs that are ready, that wait behind a constraint, and that execute.

Lanes are looked at, not runs, and not more of them than `MOST_LANES`, so it costs the same whatever waits.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.moves import is_move
from stepwell.platform.ids import time_of
from stepwell.platform.reading.executing import executing_by_function
from stepwell.platform.reading.lanes import THROTTLE
from stepwell.platform.store.keys import wake_channel

MOST_LANES = 100
"""Of one function, or of one scope, in one partition."""
MOST_HEADS = 10
"""Lanes of a function whose first run is looked at; those that have waited longest come first."""
MOST_SCOPES = 500
ASKED = 16
"""Functions of which one command tells whether any has a lane."""
TOGETHER = 500

Why = Literal["ready", "blocked", "throttled", "paused", "moved"]


@dataclass(frozen=True, slots=True)
class Depth:
    """What there is to do of one function.

    Args:
        function: as `app/function`.
        ready: runs that a worker may lease.
        blocked: runs behind a slot that others have.
        throttled: runs behind a throttle.
        paused: runs that wait for the function to go on.
        moved: runs that wait for those that execute where the function lived before.
        executing: runs that workers have.
        oldest: the oldest of the runs that are the first of a lane, as far as was looked.
        more: there were more lanes than are looked at: the numbers are the least there are.
    """

    function: str
    ready: int = 0
    blocked: int = 0
    throttled: int = 0
    paused: int = 0
    moved: int = 0
    executing: int = 0
    oldest: str | None = None
    more: bool = False

    @property
    def waiting(self) -> int:
        """All that do not execute and could, but for what they wait for."""
        return self.ready + self.blocked + self.throttled + self.paused + self.moved


class _Lane(NamedTuple):
    """A lane, where it is and what it waits for."""

    partition: Partition
    name: str
    why: Why

    @property
    def function(self) -> str:
        """Of its runs, suspects included."""
        return self.name.partition("|")[0].removesuffix("!")


class _Look(NamedTuple):
    """Lanes that were found, and the functions of which there may be more; "" for any."""

    lanes: list[_Lane]
    cut: set[str]


class _Sized(NamedTuple):
    """A lane, how many runs are in it, and the first of them."""

    lane: _Lane
    runs: int
    first: str | None


async def depths_of(partitions: Sequence[Partition], functions: Sequence[str]) -> dict[str, Depth]:
    """The depth of each of some functions."""
    if not functions:
        return {}
    active = asyncio.gather(*[_active(partition, functions) for partition in partitions])
    parked = asyncio.gather(*[_parked(partition) for partition in partitions])
    executing, *both = await asyncio.gather(executing_by_function(partitions), active, parked)
    looks = [look for found in both for look in found]
    resting = await _paused(partitions[0])
    # A lane may be parked behind several scopes: it counts once.
    lanes = {(one.partition.index, one.name): _as_paused(one, resting) for look in looks for one in look.lanes}
    found, wanted = dict[str, list[_Sized]](), frozenset(functions)
    for sized in await _sizes([lane for lane in lanes.values() if lane.function in wanted]):
        found.setdefault(sized.lane.function, []).append(sized)
    cut = {function for look in looks for function in look.cut}
    return {one: _depth(one, found.get(one, ()), executing[one], more=bool(cut & {one, ""})) for one in functions}


async def served_by(first: Partition, functions: Sequence[str]) -> dict[str, int]:
    """How many workers listen for the runs of each of some functions; hints are given through the first partition."""
    if not functions:
        return {}
    flat: list[int] = (await first.read("PUBSUB", "NUMSUB", *map(wake_channel, functions)))[1::2]
    return dict(zip(functions, flat, strict=True))


def _depth(function: str, lanes: Iterable[_Sized], executing: int, *, more: bool) -> Depth:
    runs, heads = Counter[str](), list[str]()
    for lane, size, first in lanes:
        runs[lane.why] += size
        heads += [first] if first else []
    oldest = min(heads, key=time_of, default=None)
    return Depth(function=function, **runs, executing=executing, oldest=oldest, more=more)


async def _active(partition: Partition, functions: Sequence[str]) -> _Look:
    name = partition.keys.name
    keys = [(one, name("k_lanes", f"{one}{mark}")) for mark in ("", "!") for one in functions]
    # Most functions have nothing to do, and of several one command tells that.
    several = [keys[at : at + ASKED] for at in range(0, len(keys), ASKED)]
    there = await _reads(partition, [("EXISTS", *[key for _, key in some]) for some in several])
    asked = [one for some, count in zip(several, there, strict=True) if count for one in some]
    found: list[list[bytes]] = await _reads(partition, [("ZRANGE", key, 0, MOST_LANES) for _, key in asked])
    cut = {function for (function, _), lanes in zip(asked, found, strict=True) if len(lanes) > MOST_LANES}
    return _Look([_Lane(partition, lane.decode(), "ready") for lanes in found for lane in lanes[:MOST_LANES]], cut)


async def _parked(partition: Partition) -> _Look:
    name = partition.keys.name
    blocked: list[bytes] = await partition.read("ZRANGE", name("k_blocked"), 0, MOST_SCOPES)
    scopes = [scope.decode() for scope in blocked[:MOST_SCOPES]]
    names = sorted({scope.partition("|")[0] for scope in scopes})
    rules = dict(zip(names, await _rules(partition, names), strict=True))
    parked = await _reads(partition, [("ZRANGE", name("k_parked", scope), 0, MOST_LANES) for scope in scopes])
    found = _Look([], {""} if len(blocked) > MOST_SCOPES else set())
    for scope, lanes in zip(scopes, parked, strict=True):
        constraint = scope.partition("|")[0]
        why = _why(constraint, rules[constraint] or b"")
        found.lanes.extend(_Lane(partition, lane.decode(), why) for lane in lanes[:MOST_LANES])
        found.cut.update(_Lane(partition, lane.decode(), why).function for lane in lanes[MOST_LANES:])
    return found


async def _rules(partition: Partition, names: Sequence[str]) -> list[bytes | None]:
    if not names:
        return []
    found: list[bytes | None] = await partition.read(
        "HMGET", partition.keys.name("k_limits"), *[f"#{one}" for one in names]
    )
    return found


async def _paused(first: Partition) -> frozenset[str]:
    """The functions none of whose runs is leased: their lanes are parked only when somebody comes for them."""
    flat: list[bytes] = await first.read("HGETALL", first.keys.name("k_paused"))
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return frozenset(function.decode() for function, mode in pairs if mode.startswith(b"keep "))


def _as_paused(lane: _Lane, resting: frozenset[str]) -> _Lane:
    return lane._replace(why="paused") if lane.why == "ready" and lane.function in resting else lane


def _why(constraint: str, rule: bytes) -> Why:
    if constraint == "pause":
        return "paused"
    if is_move(constraint):
        return "moved"
    return "throttled" if rule.startswith(THROTTLE) else "blocked"


async def _sizes(lanes: Sequence[_Lane]) -> list[_Sized]:
    keys = [(lane.partition, lane.partition.keys.name("k_queue", lane.name)) for lane in lanes]
    sizes: list[int] = await _each([(partition, "ZCARD", key) for partition, key in keys])
    looked = Counter[str]()
    wanted = list[int]()
    for index, lane in enumerate(lanes):
        looked[lane.function] += 1
        wanted += [index] if looked[lane.function] <= MOST_HEADS else []
    heads: list[list[bytes]] = await _each([(keys[index][0], "ZRANGE", keys[index][1], 0, 0) for index in wanted])
    firsts = {index: found[0].decode() for index, found in zip(wanted, heads, strict=True) if found}
    return [_Sized(lane, size, firsts.get(index)) for index, (lane, size) in enumerate(zip(lanes, sizes, strict=True))]


async def _reads(partition: Partition, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
    return await _each([(partition, *command) for command in commands])


async def _each(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """What the commands answer, so many at once that others are not kept waiting."""
    found = list[Any]()
    for at in range(0, len(commands), TOGETHER):
        found += await asyncio.gather(*[partition.read(*words) for partition, *words in commands[at : at + TOGETHER]])
    return found
