"""A store over Sentinel: whoever is the master is found, before and after a failover."""

from collections.abc import Generator
from pathlib import Path

import pytest

from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.redis_servers import Server, free_port, program, until, wait_until


@pytest.fixture
def watched(short_path: Path) -> Generator[tuple[Server, Server, Server]]:
    """Master, replica, and the Sentinel that watches them."""
    redis = program("redis")
    master = Server(redis, short_path / "m", port=free_port()).start()
    replica = Server(redis, short_path / "r", port=free_port(), options={"replicaof": f"127.0.0.1 {master.port}"})
    replica.start()
    watch = f"main 127.0.0.1 {master.port} 1"
    quick: dict[str, str | int] = {"sentinel monitor": watch, "sentinel down-after-milliseconds": "main 500"}
    sentinel = Server(redis, short_path / "s", port=free_port(), options=quick, extra=("--sentinel",))
    sentinel.start()
    wait_until(lambda: sentinel.ask("SENTINEL", "REPLICAS", "main"))
    yield master, replica, sentinel
    for server in (sentinel, replica, master):
        server.kill()


async def test_calls_go_to_the_master_that_a_failover_makes(watched: tuple[Server, Server, Server]) -> None:
    master, replica, sentinel = watched
    url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/main"
    async with Store.open(Settings(redis_url=url)) as store, store.subscribe("one") as messages:
        await store.call(0, "SET", "{sw0}:x", "before")
        assert master.ask("GET", "{sw0}:x") == b"before"
        assert await anext(messages) is None
        await until(lambda: sentinel.ask("SENTINEL", "FAILOVER", "main"))
        await until(lambda: b"role:master" in replica.ask("INFO", "replication"))
        master.kill()
        await store.call(0, "SET", "{sw0}:x", "after")
        assert replica.ask("GET", "{sw0}:x") == b"after"
        assert await anext(messages) is None
