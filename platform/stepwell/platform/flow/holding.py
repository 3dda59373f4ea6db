"""Who has the slots of each key, and who waits for them."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.key import shown

Freed = Literal["OK", "HELD", "GONE"]
MOST_KEYS, MOST_HOLDERS, MOST_LANES = 1_000, 100, 100
FIRST = 5
"""Holders of a key that are looked at to see whether they still execute."""
PAGE = 1_000
TOGETHER = 64
"""Keys that are read at once."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A run that has a slot.

    Args:
        run: its id.
        since: ms UTC.
        session: of the worker that executes it, or "".
    """

    run: str
    since: int
    session: str


@dataclass(frozen=True, slots=True)
class KeyView:
    """One value of the key of a constraint, of which somebody has a slot or waits for one.

    Args:
        scope: the id of both.
        constraint: its name.
        value: of the key, "" without one.
        limit: slots there are; `None` for what has none.
        held: slots that are taken.
        holders: the first of those who have them, oldest first.
        lanes: that wait.
        waiting: runs in the first of these lanes.
    """

    scope: str
    constraint: str
    value: str
    limit: int | None
    held: int
    holders: tuple[Holder, ...]
    lanes: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A key of which runs have slots that nobody executes; `holders` are those."""

    scope: str
    constraint: str
    value: str
    holders: tuple[Holder, ...]


class Holding:
    """Reads who holds what, and takes back what nobody uses. May raise `StepwellError`.

    Args:
        partitions: all of them.
    """

    __slots__ = ("_partitions",)

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    async def keys(self, constraint: str | None = None, *, most: int = MOST_KEYS) -> list[KeyView]:
        """Those of which an executing run has a slot, or somebody waits for one; `most` of them, in their order.

        `constraint`: only its keys; by default those of every one.
        """
        parts = await asyncio.gather(*[_scopes(partition, constraint) for partition in self._partitions])
        found = [(one, scope) for one, scopes in zip(self._partitions, parts, strict=True) for scope in scopes]
        chosen, views = sorted(found, key=_scope)[:most], list[KeyView]()
        for first in range(0, len(chosen), TOGETHER):
            views += await asyncio.gather(*[_view(*one) for one in chosen[first : first + TOGETHER]])
        return views

    async def abandoned(self, alive: Collection[str], most: int) -> list[Abandoned]:
        """Keys that somebody waits for although nobody executes a run that has a slot of them.

        Args:
            alive: the sessions of all workers.
            most: keys that are looked at in each partition; and of each, the runs that have had a slot for longest.
        """
        parts = await asyncio.gather(*[_abandoned(partition, alive, most) for partition in self._partitions])
        return [one for found in parts for one in found]

    async def release(self, scope: str, run: str) -> Freed:
        """Takes a slot from a run that does not execute under it, and gives it to who waits; others keep theirs."""
        answers = [await partition.script("free_slot", scope, run) for partition in self._partitions]
        for answer in ("OK", "HELD"):
            if answer.encode() in answers:
                return answer
        return "GONE"


def _scope(found: tuple[Partition, str]) -> str:
    return found[1]


async def _scopes(partition: Partition, constraint: str | None) -> set[str]:
    """Some more than `MOST_KEYS` at most: of what is waited for, and of what is held, which is by executing runs."""
    found: set[str] = set()
    async for scope in _all_scopes(partition):
        if constraint in (None, scope.partition("|")[0]):
            found.add(scope)
        if len(found) > MOST_KEYS:
            break
    return found


async def _all_scopes(partition: Partition) -> AsyncIterator[str]:
    name, cursor = partition.keys.name, b"0"
    while True:
        cursor, page = await partition.read("ZSCAN", name("k_blocked"), cursor, "COUNT", PAGE)
        for scope in page[::2]:
            yield scope.decode()
        if cursor == b"0":
            break
    for session in await partition.read("ZRANGE", name("k_sessions"), 0, -1):
        runs: Sequence[bytes] = await partition.read("SMEMBERS", name("k_held", session.decode()))
        held = await asyncio.gather(*[partition.read("HGET", name("k_run", run.decode()), "sl") for run in runs])
        for scopes in filter(None, held):
            for scope in scopes.decode().split():
                yield scope


async def _abandoned(partition: Partition, alive: Collection[str], most: int) -> list[Abandoned]:
    keys = partition.keys
    blocked: Sequence[bytes] = await partition.read("ZRANGE", keys.name("k_blocked"), 0, most - 1)
    scopes = [scope.decode() for scope in blocked]
    slots = [keys.name("k_slots", scope) for scope in scopes]
    held = await asyncio.gather(*[partition.read("ZRANGE", key, 0, FIRST - 1, "WITHSCORES") for key in slots])
    holders = await asyncio.gather(*[_holders(partition, flat) for flat in held])
    unused = [tuple(one for one in some if one.session not in alive) for some in holders]
    split = [(scope, *scope.partition("|")[::2]) for scope in scopes]
    return [
        Abandoned(scope, name, shown(value), some)
        for (scope, name, value), some in zip(split, unused, strict=True)
        if some
    ]


async def _view(partition: Partition, scope: str) -> KeyView:
    keys, (name, _, value) = partition.keys, scope.partition("|")
    slots, parked = keys.name("k_slots", scope), keys.name("k_parked", scope)
    rule, held, holders, lanes, first = await asyncio.gather(
        partition.read("HGET", keys.name("k_limits"), f"#{name}"),
        partition.read("ZCARD", slots),
        partition.read("ZRANGE", slots, 0, MOST_HOLDERS - 1, "WITHSCORES"),
        partition.read("ZCARD", parked),
        partition.read("ZRANGE", parked, 0, MOST_LANES - 1),
    )
    queues = await asyncio.gather(*[partition.read("ZCARD", keys.name("k_queue", lane.decode())) for lane in first])
    return KeyView(
        scope,
        name,
        shown(value),
        int(rule) if rule and rule.isdigit() else None,
        held,
        await _holders(partition, holders),
        lanes,
        sum(queues),
    )


async def _holders(partition: Partition, flat: Sequence[bytes]) -> tuple[Holder, ...]:
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return tuple(await asyncio.gather(*[_holder(partition, run, since) for run, since in pairs]))


async def _holder(partition: Partition, run: bytes, since: bytes) -> Holder:
    head: bytes | None = await partition.read("HGET", partition.keys.name("k_run", run.decode()), "h")
    token = head.split(b" ")[1].decode() if head else ""
    return Holder(run.decode(), int(float(since)), token.partition(":")[0] if ":" in token else "")
