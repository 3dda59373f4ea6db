"""A store over a Redis Cluster of three masters."""

import asyncio
from pathlib import Path

import pytest
from redis.crc import key_slot

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import Keys
from stepwell.platform.store.store import Store
from tests.redis_servers import Cluster, Server, free_port, program


def owner(cluster: Cluster, slot: int) -> Server:
    """The node that serves a slot."""
    for node in cluster.nodes:
        for first, last, master, *_ in node.ask("CLUSTER", "SLOTS"):
            if first <= slot <= last and master[1] == node.port:
                return node
    raise AssertionError(slot)


def identity(node: Server) -> str:
    """How the other nodes call it."""
    return str(node.ask("CLUSTER", "MYID"), "ascii")


async def test_sixteen_partitions_are_spread_and_reached(cluster: Cluster) -> None:
    async with Store.open(Settings(redis_url=cluster.url)) as store:
        assert store.partitions == 16
        await asyncio.gather(*(store.script(number, "register", ["", "shop", "{}", 0]) for number in range(16)))
        manifests = [await store.call(n, "HGET", Keys(tag).name("k_apps"), "shop") for n, tag in enumerate(store.tags)]
        assert manifests == [b"{}"] * 16
        assert len(await store.every_server("PING")) == 3
    assert all(node.ask("DBSIZE") > 0 for node in cluster.nodes)


async def test_the_number_of_partitions_is_found_again(cluster: Cluster) -> None:
    async with Store.open(Settings(redis_url=cluster.url, partitions=32)):
        pass
    async with Store.open(Settings(redis_url=cluster.url)) as store:
        assert store.partitions == 32


async def test_messages_reach_subscribers_from_every_node(cluster: Cluster) -> None:
    async with Store.open(Settings(redis_url=cluster.url)) as store, store.subscribe("one") as messages:
        assert await anext(messages) is None
        for number in range(16):
            await store.call(number, "PUBLISH", "one", number)
        heard = {await anext(messages) for _ in range(16)}
        assert heard == {("one", b"%d" % number) for number in range(16)}


async def test_calls_follow_a_slot_that_moves(cluster: Cluster) -> None:
    async with Store.open(Settings(redis_url=cluster.url)) as store:
        key, slot = Keys(store.tags[0]).name("k_meta"), key_slot(store.tags[0].encode())
        source = owner(cluster, slot)
        target = next(node for node in cluster.nodes if node is not source)
        try:
            target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", identity(source))
            source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", identity(target))
            # Halfway: the key is not at its old home any more, which sends us on with ASK.
            source.ask("MIGRATE", "127.0.0.1", target.port, key, 0, 1000)
            await store.call(0, "HSET", key, "asked", 1)
            await store.script(0, "beat", ["", "session", 1000])
            for node in (target, source):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", identity(target))
            await store.call(0, "HSET", key, "moved", 1)
            assert target.ask("HMGET", key, "asked", "moved") == [b"1", b"1"]
        finally:
            for node in cluster.nodes:
                node.ask("FLUSHALL")
            for node in (source, target, *cluster.nodes):
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", identity(source))


async def test_a_broken_connection_to_one_node_is_set_up_again(cluster: Cluster) -> None:
    async with Store.open(Settings(redis_url=cluster.url)) as store:
        for node in cluster.nodes:
            node.ask("CLIENT", "KILL", "TYPE", "normal")
        answers = await asyncio.gather(*(store.call(number, "PING") for number in range(16)))
        assert answers == [b"PONG"] * 16


async def test_a_node_of_a_cluster_is_no_single_server(cluster: Cluster) -> None:
    with pytest.raises(StoreMisconfigured, match=r"redis\+cluster://"):
        async with Store.open(Settings(redis_url=cluster.nodes[0].url)):
            pass


async def test_a_single_server_is_no_cluster(short_path: Path) -> None:
    single = Server(program("redis"), short_path / "single", port=free_port()).start()
    try:
        with pytest.raises(StoreMisconfigured, match="is not a cluster"):
            async with Store.open(Settings(redis_url=f"redis+cluster://127.0.0.1:{single.port}")):
                pass
    finally:
        single.kill()
