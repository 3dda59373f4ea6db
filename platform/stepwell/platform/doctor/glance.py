"""A look at the servers that takes no longer than a page may: a part of what the whole examination does."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepwell.platform.clock import Clock
from stepwell.platform.doctor.examination import examine_time
from stepwell.platform.doctor.finding import Finding, fine, warning, wrong
from stepwell.platform.doctor.servers import memory, persistence, policy, skew
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import ScriptFault, StoreMisconfigured
from stepwell.platform.settings import Settings
from stepwell.platform.store.installation import facts_of
from stepwell.platform.store.store import Store

WITHIN = 1.0
"""Seconds in which all servers have to answer."""
MEND = "`stepwell doctor` looks for longer"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A server of Redis as it describes itself; `None` is what it does not say.

    Args:
        where: its address, without secrets.
        product: Redis or Valkey, and its version.
        used: bytes of memory.
        limit: bytes of memory there may be, 0 when there is no limit.
        uptime: ms since it was started.
        clients: connections.
        policy: what happens when memory is full.
        persistence: how what was acknowledged is kept.
    """

    where: str
    product: str
    used: int | None
    limit: int | None
    uptime: int | None
    clients: int | None
    policy: str | None
    persistence: str | None


@dataclass(frozen=True, slots=True)
class Glance:
    """What was seen: the servers, and what is to be said of them."""

    servers: tuple[ServerFacts, ...] = ()
    findings: tuple[Finding, ...] = ()


async def glance(store: Store, partitions: Sequence[Partition], settings: Settings, clock: Clock) -> Glance:
    """Looks at each server that holds a partition, and at who looks after timers. Raises `StoreUnavailable`."""
    try:
        async with asyncio.timeout(WITHIN):
            seen, clocks, timers = await asyncio.gather(
                _servers(store, settings), _clocks(store, clock), _timers(partitions, clock)
            )
    except TimeoutError:
        return Glance((), (wrong("servers", f"they did not answer within {WITHIN:g} s", MEND),))
    return Glance(seen.servers, (*seen.findings, *clocks, timers))


async def _servers(store: Store, settings: Settings) -> Glance:
    try:
        told = await store.every_server("INFO")
    except ScriptFault:
        return Glance((), (fine("server", "all is in the memory of this process"),))
    except StoreMisconfigured:
        text = "the server does not describe itself: INFO is refused"
        return Glance((), (warning("server", text, "Let the user of STEPWELL_REDIS_URL call INFO"),))
    known = {where: facts_of(text) for where, text in told.items()}
    found = [one for facts in known.values() for one in (memory(facts, settings), persistence(facts), policy(facts))]
    return Glance(tuple(_facts(where, facts) for where, facts in known.items()), tuple(found))


async def _clocks(store: Store, clock: Clock) -> list[Finding]:
    before = clock.now()
    times = await store.every_server("TIME")
    after = clock.now()
    return [skew(where, time, before, after) for where, time in times.items() if clock.argument() == ""]


async def _timers(partitions: Sequence[Partition], clock: Clock) -> Finding:
    """The first partition whose timers nobody looks after, or that there is none."""
    found = await asyncio.gather(*[examine_time(partition, clock) for partition in partitions])
    return next((one for one in found if one.level != "fine"), fine("scheduler", "timers are looked after"))


def _facts(where: str, facts: Mapping[str, str]) -> ServerFacts:
    name = "Valkey" if "valkey_version" in facts else "Redis"
    number = facts.get("valkey_version", facts.get("redis_version", ""))
    uptime = _number(facts, "uptime_in_seconds")
    return ServerFacts(
        where=where,
        product=f"{name} {number}".strip(),
        used=_number(facts, "used_memory"),
        limit=_number(facts, "maxmemory"),
        uptime=None if uptime is None else uptime * 1000,
        clients=_number(facts, "connected_clients"),
        policy=facts.get("maxmemory_policy"),
        persistence=_persistence(facts.get("aof_enabled")),
    )


def _persistence(appended: str | None) -> str | None:
    return None if appended is None else "append-only file" if appended == "1" else "none that is sure"


def _number(facts: Mapping[str, str], name: str) -> int | None:
    text = facts.get(name, "")
    return int(text) if text.isdigit() else None
