"""Messages that scripts publish."""

import asyncio

from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.redis_servers import Server, until


async def test_messages_follow_a_first_hint_to_look(store: Store) -> None:
    async with store.subscribe("one", "two") as messages:
        assert await anext(messages) is None
        await store.call(0, "PUBLISH", "one", b"\xff")
        await store.call(0, "PUBLISH", "three", "not for us")
        await store.call(0, "PUBLISH", "two", "b")
        assert await anext(messages) == ("one", b"\xff")
        assert await anext(messages) == ("two", b"b")


async def test_after_a_broken_connection_it_subscribes_again_and_hints(redis_server: Server) -> None:
    async with Store.open(Settings(redis_url=redis_server.url)) as store, store.subscribe("one") as messages:
        assert await anext(messages) is None
        redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
        assert await anext(messages) is None
        await store.call(0, "PUBLISH", "one", "a")
        assert await anext(messages) == ("one", b"a")


async def test_it_outlives_a_restart_of_the_server(own_server: Server) -> None:
    async with Store.open(Settings(redis_url=own_server.url)) as store, store.subscribe("one") as messages:
        assert await anext(messages) is None
        own_server.kill()
        hint = asyncio.ensure_future(anext(messages))
        await asyncio.to_thread(own_server.start)
        assert await hint is None


async def test_a_silent_but_living_server_is_kept(redis_server: Server) -> None:
    settings = Settings(redis_url=redis_server.url, redis_deadline=0.05)
    async with Store.open(settings) as store, store.subscribe("one") as messages:
        assert await anext(messages) is None
        following = asyncio.ensure_future(anext(messages))
        redis_server.ask("CONFIG", "RESETSTAT")
        await until(lambda: b"cmdstat_ping" in redis_server.ask("INFO", "commandstats"))
        assert b"cmdstat_subscribe" not in redis_server.ask("INFO", "commandstats")
        await store.call(0, "PUBLISH", "one", "a")
        assert await following == ("one", b"a")


async def test_a_subscriber_that_leaves_lets_go_of_its_connection(redis_server: Server) -> None:
    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        async with store.subscribe("one") as messages:
            assert await anext(messages) is None
        await until(lambda: redis_server.ask("PUBSUB", "NUMSUB", "one") == [b"one", 0])
