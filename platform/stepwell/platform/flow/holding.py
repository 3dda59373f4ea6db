"""Who has the slots of each key, and who waits for them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.key import shown

Freed = Literal["OK", "HELD", "GONE"]
MOST_KEYS, MOST_HOLDERS, MOST_LANES = 1_000, 100, 100
PAGE = 1_000


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


class Holding:
    """Reads who holds what, and takes back what nobody uses. May raise `StepwellError`.

    Args:
        partitions: all of them.
    """

    __slots__ = ("_partitions",)

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    async def keys(self, constraint: str | None = None) -> list[KeyView]:
        """Those of which somebody has a slot or waits for one, of every constraint or of one; `MOST_KEYS` at most."""
        found = [(one, scope) for one in self._partitions for scope in await _scopes(one, constraint)]
        return [await _view(partition, scope) for partition, scope in sorted(found, key=_scope)[:MOST_KEYS]]

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
    """Goes through the keys of the partition's server, a page at a time."""
    found: set[str] = set()
    for family in ("k_slots", "k_parked"):
        prefix, cursor = partition.keys.name(family), b"0"
        while True:
            page: Sequence[bytes]
            cursor, page = await partition.read("SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", PAGE)
            scopes = [key.decode().removeprefix(prefix) for key in page]
            found.update(one for one in scopes if constraint in (None, one.partition("|")[0]))
            if cursor == b"0" or len(found) > MOST_KEYS:
                break
    return found


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
