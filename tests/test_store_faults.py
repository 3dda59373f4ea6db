"""What a caller of the store meets when servers and networks fail."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stepwell.platform.errors import ScriptFault, StoreFull, StoreMisconfigured, StoreUnavailable
from stepwell.platform.settings import Settings
from stepwell.platform.store.connection import Limits
from stepwell.platform.store.group import Group
from stepwell.platform.store.routes import Routes
from stepwell.platform.store.scripts import Scripts
from stepwell.platform.store.store import Store
from stepwell.platform.store.topology import topology_of
from tests.fault_proxy import FaultProxy, Moment
from tests.redis_servers import Server, until

QUICK = Limits(deadline=0.2, patience=5.0)
IMPATIENT = Limits(deadline=0.1, patience=0.3)

ONCE = """\
--! Counts an id once. Answers how many ids there are.
--! args: id
redis.call('SADD', k_meta, id)
return redis.call('SCARD', k_meta)
"""
WRITE = "--! Writes.\nreturn redis.call('SET', k_meta, 'x')"
DRAIN = "--! Writes whatever memory there is.\n--! allow-oom\nreturn redis.call('SET', k_meta, 'x')"
WRONG = "--! Has a bug.\nreturn nobody + 1"


@pytest.fixture
def lua(tmp_path: Path) -> Path:
    for name, text in {"once": ONCE, "write": WRITE, "drain": DRAIN, "wrong": WRONG}.items():
        (tmp_path / f"{name}.lua").write_text(text)
    return tmp_path


@asynccontextmanager
async def opened(url: str, lua: Path, limits: Limits = QUICK) -> AsyncGenerator[Store]:
    """A store with the scripts of this test."""
    topology = topology_of(url)
    routes = Routes(topology, limits)
    try:
        store = Store(routes, Scripts.load("server", lua), 1)
        await store.reach()
        yield store
    finally:
        await routes.aclose()
        await topology.aclose()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_script_whose_reply_is_lost_is_run_again(
    proxy: FaultProxy, lua: Path, moment: Moment, nth: int
) -> None:
    async with opened(proxy.url, lua) as store:
        proxy.cut(moment, nth)
        answers = [await store.script(0, "once", [name]) for name in ("a", "b", "b")]
        assert answers == [1, 2, 2]
        # Once more where the machine is so busy that a reply is late as well.
        assert proxy.connections in (2, 3)


async def test_every_concurrent_caller_survives_a_cut(proxy: FaultProxy, lua: Path) -> None:
    async with opened(proxy.url, lua) as store:
        await store.script(0, "once", ["0"])
        proxy.cut("after", 10)
        await asyncio.gather(*(store.script(0, "once", [str(number)]) for number in range(50)))
        assert await store.script(0, "once", ["0"]) == 50


async def test_what_must_not_run_twice_is_not_repeated(proxy: FaultProxy, lua: Path) -> None:
    async with opened(proxy.url, lua) as store:
        proxy.cut("after")
        with pytest.raises(StoreUnavailable):
            await store.call(0, "INCR", "{sw0}:n", retry=False)
        assert await store.call(0, "GET", "{sw0}:n") == b"1"


async def test_a_silent_network_is_given_up_and_the_call_goes_through_later(proxy: FaultProxy, lua: Path) -> None:
    async with opened(proxy.url, lua) as store:
        await store.call(0, "PING")
        proxy.stalled = True
        waiting = asyncio.ensure_future(store.script(0, "once", ["a"]))
        await proxy.saw(2)
        proxy.stalled = False
        assert await waiting == 1
        assert proxy.connections >= 2


async def test_patience_ends_with_the_reason(proxy: FaultProxy, lua: Path) -> None:
    async with opened(proxy.url, lua, IMPATIENT) as store:
        await store.call(0, "PING")
        proxy.stalled = True
        with pytest.raises(StoreUnavailable, match=r"unix://.*proxy is unavailable: no (answer|connection)"):
            await store.script(0, "once", ["a"])


async def test_a_caller_who_leaves_harms_no_other(proxy: FaultProxy, lua: Path) -> None:
    async with opened(proxy.url, lua) as store:
        proxy.delay = 0.001
        calls = [asyncio.ensure_future(store.script(0, "once", [str(number)])) for number in range(30)]
        await proxy.saw(3)
        for call in calls[::3]:
            call.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(answer, int) for index, answer in enumerate(answers) if index % 3)


async def test_nobody_listens(short_path: Path, lua: Path) -> None:
    async with opened(f"unix://{short_path}/nobody", lua, IMPATIENT) as store:
        with pytest.raises(StoreUnavailable, match="No such file"):
            await store.call(0, "PING")


async def test_calls_go_on_after_the_server_was_killed_and_started_again(own_server: Server, lua: Path) -> None:
    async with opened(own_server.url, lua) as store:
        assert await store.script(0, "once", ["a"]) == 1
        own_server.kill()
        waiting = asyncio.ensure_future(store.script(0, "once", ["b"]))
        await asyncio.to_thread(own_server.start)
        assert await waiting == 2, "the script was loaded again, the data is still there"


async def test_scripts_are_loaded_again_when_the_server_forgot_them(redis_server: Server, lua: Path) -> None:
    async with opened(redis_server.url, lua) as store:
        await store.script(0, "once", ["a"])
        redis_server.ask("SCRIPT FLUSH")
        answers = await asyncio.gather(*(store.script(0, "once", [str(number)]) for number in range(20)))
        assert max(answers) == 21


async def test_a_full_server_refuses_writes_but_lets_running_work_end(redis_server: Server, lua: Path) -> None:
    async with opened(redis_server.url, lua) as store:
        await store.script(0, "write", [])
        redis_server.ask("CONFIG SET", "maxmemory", 1)
        try:
            with pytest.raises(StoreFull, match="maxmemory"):
                await store.script(0, "write", [])
            with pytest.raises(StoreFull):
                await store.call(0, "SET", "{sw0}:x", "y")
            assert await store.script(0, "drain", []) == b"OK"
        finally:
            redis_server.ask("CONFIG SET", "maxmemory", 0)


async def test_a_fault_of_ours_names_the_script(redis_server: Server, lua: Path) -> None:
    async with opened(redis_server.url, lua) as store:
        with pytest.raises(ScriptFault, match=r"^wrong: .*nobody"):
            await store.script(0, "wrong", [])
        with pytest.raises(ScriptFault, match=r"^NOSUCH: unknown command"):
            await store.call(0, "NOSUCH")


async def test_a_master_that_becomes_a_replica_is_left_for_the_new_one(
    own_server: Server, redis_server: Server, lua: Path
) -> None:
    async with opened(own_server.url, lua) as store:
        await store.script(0, "once", ["a"])
        own_server.ask("REPLICAOF", "127.0.0.1", 1)
        waiting = asyncio.ensure_future(store.script(0, "once", ["b"]))
        await until(lambda: b"total_error_replies:0" not in own_server.ask("INFO", "stats"))
        own_server.ask("REPLICAOF", "NO", "ONE")
        assert await waiting == 2


async def test_a_user_without_rights_is_told_so(own_server: Server, lua: Path) -> None:
    own_server.ask("ACL", "SETUSER", "reader", "on", ">secret", "~*", "+get", "+client")
    url = f"unix://reader:secret@{own_server.socket}"
    async with opened(url, lua) as store:
        assert await store.call(0, "GET", "{sw0}:x") is None
        with pytest.raises(StoreMisconfigured, match="ACL") as caught:
            await store.script(0, "write", [])
        assert "secret" not in str(caught.value)


async def test_a_wrong_password_is_told_at_once(own_server: Server, lua: Path) -> None:
    own_server.ask("CONFIG SET", "requirepass", "right")
    async with opened(f"unix://:wrong@{own_server.socket}", lua) as store:
        with pytest.raises(StoreMisconfigured, match="invalid username-password pair") as caught:
            await store.call(0, "PING")
        assert "wrong@" not in str(caught.value)


async def test_a_dedicated_connection_does_not_wait_behind_blocking_calls(redis_server: Server) -> None:
    async with Store.open(Settings(redis_url=redis_server.url)) as store, store.dedicated(deadline=10) as other:
        blocked = asyncio.ensure_future(store.call(0, "BLPOP", "{sw0}:list", 0))
        assert await other.call(0, "PING") == b"PONG"
        await other.call(0, "RPUSH", "{sw0}:list", "x")
        assert await blocked == [b"{sw0}:list", b"x"]


async def test_closing_ends_calls_in_flight_and_leaves_nothing_behind(redis_server: Server) -> None:
    before = asyncio.all_tasks()
    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        slow = asyncio.create_task(store.call(0, "BLPOP", "nothing", "2"))
        grouped = Group(store, 0, "release", lambda: [""]).add(("x" * 26, "token", 1))
        await asyncio.sleep(0)
    for ending in (slow, grouped):
        with pytest.raises(StoreUnavailable, match="closed"):
            await asyncio.wait_for(ending, 1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
