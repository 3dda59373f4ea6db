"""What must be so before the platform starts: fit servers, and the number of partitions fixed once."""

from collections.abc import Collection
from typing import Protocol

import structlog

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.store.connection import Argument, Reply
from stepwell.platform.store.keys import Keys, partition_tags

OLDEST = (7, 0)
# Whatever the number of partitions is, the first tag is one of them: this is where the number can always be found.
FIRST_TAG = partition_tags(1)[0]


class Commands(Protocol):
    """The part of a store that is needed here."""

    async def call(self, partition: int, *command: Argument, retry: bool = True) -> Reply:
        """See `Store.call`."""
        ...

    async def every_server(self, *command: Argument) -> dict[str, Reply]:
        """See `Store.every_server`."""
        ...


async def check_servers(store: Commands, *, clustered: bool, known: Collection[str] = ()) -> Collection[str]:
    """Refuses servers that may lose or evict data, or are not what the URL says.

    Args:
        store: what to check.
        clustered: whether the URL is that of a cluster.
        known: servers that were checked before.

    Answers the servers of the store. Raises `StoreMisconfigured`.
    """
    servers = await store.every_server("INFO")
    for where in servers.keys() - set(known):
        facts = facts_of(servers[where])
        check_version(where, facts)
        check_policy(where, facts)
        if facts.get("redis_mode") == "cluster" and not clustered:
            raise StoreMisconfigured(f"Redis at {where} is part of a cluster", "Write redis+cluster:// instead")
        if facts.get("aof_enabled") != "1":
            structlog.get_logger("stepwell.store").warning(
                "append-only is off: a crash of Redis loses acknowledged events; set `appendonly yes`", where=where
            )
    return servers.keys()


def facts_of(text: bytes) -> dict[str, str]:
    """The lines `name:value` of INFO."""
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def check_version(where: str, facts: dict[str, str]) -> None:
    """Valkey names the Redis version it is compatible with, so one rule serves both."""
    version = facts.get("redis_version", "unknown")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        raise StoreMisconfigured(f"Redis at {where} has version {version}", "Stepwell needs Redis 7.0 or Valkey")


def check_policy(where: str, facts: dict[str, str]) -> None:
    """A server that evicts keys loses runs without a word."""
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise StoreMisconfigured(
            f"Redis at {where} may evict keys (maxmemory-policy {policy}), and with them runs",
            "Set `maxmemory-policy noeviction`",
        )


async def agree_on_partitions(store: Commands, wanted: int | None, default: int) -> int:
    """The number of partitions, written down by whoever asks first.

    Args:
        store: reaches partition 0 of one.
        wanted: what the settings say, `None` to take what is written.
        default: for a first start without a wish.

    Raises `StoreMisconfigured` when another number is written than is wanted.
    """
    meta = Keys(FIRST_TAG).name("k_meta")
    if wanted is not None or await store.call(0, "HGET", meta, "partitions") is None:
        await store.call(0, "HSETNX", meta, "partitions", wanted or default)
    stored = int(await store.call(0, "HGET", meta, "partitions"))
    if wanted is not None and wanted != stored:
        raise StoreMisconfigured(
            f"STEPWELL_PARTITIONS is {wanted}, but this installation has {stored} partitions, fixed at its first start",
            f"Unset it, or set it to {stored}; another number needs an empty Redis",
        )
    return stored
