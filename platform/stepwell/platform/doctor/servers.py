"""The Redis servers: version, memory, persistence, and their clocks."""

from collections.abc import Mapping
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.doctor.finding import Finding, fine, warning, wrong
from stepwell.platform.settings import Settings
from stepwell.platform.store.installation import facts_of
from stepwell.platform.store.store import Store

FULL = 0.9
"""Share of maxmemory above which there is little room left for running work."""
SKEW = 2_000
"""Ms between this machine's clock and that of Redis which do no harm."""


async def examine_servers(store: Store, settings: Settings, clock: Clock) -> list[Finding]:
    """Looks at each server that holds a partition. Raises `StoreUnavailable`."""
    findings: list[Finding] = []
    for where, text in (await store.every_server("INFO")).items():
        facts = facts_of(text)
        findings += [version(where, facts), policy(facts), persistence(facts), memory(facts, settings)]
    before = clock.now()
    times = await store.every_server("TIME")
    after = clock.now()
    findings += [skew(where, time, before, after) for where, time in times.items()]
    findings.append(fine("partitions", f"{store.partitions}, fixed when this installation was first used"))
    return findings


def version(where: str, facts: Mapping[str, str]) -> Finding:
    """What runs there; a version too old was refused when the store was opened."""
    name = "Valkey" if "valkey_version" in facts else "Redis"
    number = facts.get("valkey_version", facts.get("redis_version", "unknown"))
    return fine("server", f"{name} {number} at {where}")


def policy(facts: Mapping[str, str]) -> Finding:
    """What happens when memory is full; a server that evicts was refused when the store was opened."""
    found = facts.get("maxmemory_policy")
    if found is None:
        text = "the server does not say its maxmemory-policy"
        return warning("eviction", text, "Make sure that it is noeviction: another one loses runs without a word")
    return fine("eviction", f"maxmemory-policy is {found}")


def persistence(facts: Mapping[str, str]) -> Finding:
    """Whether what was acknowledged survives a crash."""
    about = "append-only"
    if facts.get("aof_enabled") != "1":
        text = "append-only is off: a crash of Redis loses acknowledged events"
        return wrong(about, text, "Set `appendonly yes`, and `appendfsync everysec` or `always`")
    if facts.get("aof_last_write_status", "ok") != "ok":
        return wrong(about, "the last write to the append-only file failed", "See the log of Redis; is its disk full?")
    return fine(about, "append-only is on")


def memory(facts: Mapping[str, str], settings: Settings) -> Finding:
    """How much room there is."""
    used, limit = int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0))
    if limit == 0:
        text = f"{_mb(used)} are used, and there is no limit"
        return warning("memory", text, "Set `maxmemory`, or the machine runs out of memory before events are refused")
    text = f"{_mb(used)} of {_mb(limit)} are used"
    if used > limit * FULL:
        mend = "Raise `maxmemory`, or lower STEPWELL_RETENTION_DAYS or STEPWELL_RETENTION_MEMORY"
        return wrong("memory", f"{text}: new events are about to be refused", mend)
    if used > limit * settings.retention_memory:
        mend = f"Above {settings.retention_memory:.0%} the oldest finished runs are removed early: raise `maxmemory`"
        return warning("memory", text, mend)
    return fine("memory", text)


def skew(where: str, time: Any, before: int, after: int) -> Finding:
    """How far the clock of a server is from ours, which was read before and after."""
    theirs = int(time[0]) * 1000 + int(time[1]) // 1000
    ahead = max(0, theirs - after) - max(0, before - theirs)
    if abs(ahead) <= SKEW:
        return fine("clock", f"this machine and {where} agree on the time")
    text = f"this machine's clock is {abs(ahead) / 1000:.1f} s {'behind' if ahead > 0 else 'ahead of'} that of {where}"
    return warning("clock", text, "Let both follow NTP: ids and logs tell this machine's time, timers that of Redis")


def _mb(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MB"
