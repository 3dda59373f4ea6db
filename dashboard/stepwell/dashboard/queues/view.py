"""What the page of queues and keys shows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.dashboard.address import path_to
from stepwell.dashboard.queues.naming import constraint_name, held_of, is_full, is_unused
from stepwell.dashboard.queues.query import QueuesQuery
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.platform.flow.holding import MOST_KEYS, Holder, Holding, KeyView
from stepwell.platform.flow.pausing import Paused, Pausing
from stepwell.platform.ids import time_of
from stepwell.platform.installation import Installation
from stepwell.platform.reading.depths import Depth

MOST_FUNCTIONS = 200
MOST_HOLDERS, FEW_HOLDERS, MANY_KEYS = 10, 3, 100
"""Holders that are shown of a key, and of each when there are many keys."""
MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """What one function has to do. `least` when there are more lanes than were looked at.

    Args:
        function: as `app/function`.
        url: of its page.
        depth: how much there is to do.
        workers: that listen for its runs.
        paused: how it is paused; "" when it is not.
        oldest: the oldest of the runs that are next.
        queued: when that was created.
    """

    function: str
    url: str
    depth: Depth
    workers: int
    paused: str
    oldest: str | None
    queued: Moment | None


@dataclass(frozen=True, slots=True)
class HolderView:
    """A run that has a slot. `unused` when nobody executes it, so that the slot may be taken from it."""

    run: str
    since: Moment
    worker: str
    unused: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One value of the key of a constraint. `full` when no slot is left; `hidden` holders are not shown."""

    id: str
    scope: str
    name: str
    value: str
    held: str
    full: bool
    holders: tuple[HolderView, ...]
    hidden: int
    lanes: int
    waiting: int


@dataclass(frozen=True, slots=True)
class QueuesView:
    """The page.

    Args:
        query: what was asked for.
        functions: with something to do first.
        known: how many functions the filter leaves.
        keys: that somebody has a slot of, or waits for.
        cut: there may be more keys than were looked at.
        constraints: to choose among.
        registered: whether there is any function.
    """

    query: QueuesQuery
    functions: tuple[FunctionRow, ...]
    known: int
    keys: tuple[KeyRow, ...]
    cut: bool
    constraints: tuple[str, ...]
    registered: bool


async def queues_view(installation: Installation, query: QueuesQuery) -> QueuesView:
    """Reads the depths of functions, and the keys."""
    now, registry = installation.clock.now(), await installation.registry.load()
    known = [name for name in sorted(registry.functions) if query.finds(name)]
    # Before the keys: who begins to work in between is then not taken for one who is gone.
    found, sessions, functions = await asyncio.gather(
        Holding(installation.partitions).keys(query.constraint, most=MOST_KEYS),
        installation.history.workers(),
        _functions(installation, known[:MOST_FUNCTIONS], now),
    )
    alive = frozenset(session.id for session in sessions)
    keys = [key for key in found if _matches(query, key)]
    most = FEW_HOLDERS if len(keys) > MANY_KEYS else MOST_HOLDERS
    names = sorted({one.name for function in registry.functions.values() for one in function.constraints if one.rule})
    return QueuesView(
        query=query,
        functions=functions,
        known=len(known),
        keys=tuple(_key(key, alive, most, now) for key in keys),
        cut=len(found) >= MOST_KEYS,
        constraints=tuple(names[:MOST_CHOICES]),
        registered=bool(registry.functions),
    )


def _matches(query: QueuesQuery, key: KeyView) -> bool:
    return query.finds(key.scope, key.value, constraint_name(key.constraint), *(one.run for one in key.holders))


async def _functions(installation: Installation, names: Sequence[str], now: int) -> tuple[FunctionRow, ...]:
    depths, served, paused = await asyncio.gather(
        installation.history.depths(names),
        installation.history.served(names),
        Pausing(installation.partitions, installation.registry).all(),
    )
    rows = [_function(depths[name], served[name], paused.get(name), now) for name in names]
    return tuple(sorted(rows, key=lambda row: not row.depth.waiting + row.depth.executing))


def _function(depth: Depth, workers: int, paused: Paused | None, now: int) -> FunctionRow:
    return FunctionRow(
        function=depth.function,
        url=path_to("functions", depth.function),
        depth=depth,
        workers=workers,
        paused=paused.mode if paused else "",
        oldest=depth.oldest,
        queued=past(time_of(depth.oldest), now) if depth.oldest else None,
    )


def _key(key: KeyView, alive: frozenset[str], most: int, now: int) -> KeyRow:
    ordered = sorted(key.holders, key=lambda one: not is_unused(one, alive))
    return KeyRow(
        id=f"key-{key.scope}",
        scope=key.scope,
        name=constraint_name(key.constraint),
        value=key.value,
        held=held_of(key),
        full=is_full(key),
        holders=tuple(_holder(one, alive, now) for one in ordered[:most]),
        hidden=max(0, key.held - min(most, len(ordered))),
        lanes=key.lanes,
        waiting=key.waiting,
    )


def _holder(holder: Holder, alive: frozenset[str], now: int) -> HolderView:
    unused = is_unused(holder, alive)
    worker = "" if unused else holder.session
    return HolderView(holder.run, past(holder.since, now), worker, unused)
