"""The embedded server: found, started, kept alive, and gone with whoever started it."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis import AuthenticationError, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.settings import Settings
from stepwell.platform.store import launch
from stepwell.platform.store.binary import bundled, find_program
from stepwell.platform.store.embedded import condition_of, embedded
from stepwell.platform.store.household import (
    LONGEST_SOCKET,
    Household,
    configuration_of,
    quoted,
    share_of_memory,
    url_in,
)
from stepwell.platform.store.store import Store
from tests.redis_servers import Server, free_port, program, wait_until

OWNER = """
import asyncio, sys
from pathlib import Path
from stepwell.platform.settings import Settings
from stepwell.platform.store.embedded import embedded

async def main():
    async with embedded(Settings(data_dir=Path(sys.argv[1]))) as settings:
        print(settings.redis_url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(params=["redis", "valkey"])
def settings(request: pytest.FixtureRequest, short_path: Path) -> Settings:
    """A data directory with a space in its name, for either server."""
    return Settings(data_dir=short_path / "Application Support", embedded_binary=program(request.param))


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[Store]:
    """A store over the embedded server."""
    async with embedded(settings) as found, Store.open(found) as store:
        yield store


def server_of(settings: Settings) -> int:
    """The number of the server process."""
    url = url_in(settings.data_dir)
    assert url is not None
    with Redis.from_url(url) as client:
        number: int = client.info("server")["process_id"]
        return number


def wait_for_the_end_of(process: int) -> None:
    """Returns when there is no such process any more."""
    wait_until(lambda: not Path(f"/proc/{process}").exists())


def owner(data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    """Another process that embeds a server, and the address it printed."""
    process = subprocess.Popen([sys.executable, "-c", OWNER, data_dir], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


async def test_who_asks_for_a_server_and_is_cancelled_again_and_again_leaves_no_connection(
    redis_server: Server,
) -> None:
    for begun in range(40):
        for pause in range(1, 4):
            asking = asyncio.create_task(condition_of(redis_server.url))
            for _ in range(begun):
                await asyncio.sleep(0)
            while not asking.done():
                asking.cancel()
                for _ in range(pause):
                    await asyncio.sleep(0)
            assert asking.cancelled() or asking.result() == "ready"
    gc.collect()  # by which a connection that was left open is complained of


async def test_data_outlives_the_server(settings: Settings) -> None:
    async with running(settings) as store:
        await store.call(0, "SET", "{sw0}:x", "kept")
        process = server_of(settings)
    wait_for_the_end_of(process)
    async with running(settings) as store:
        assert await store.call(0, "GET", "{sw0}:x") == b"kept"


async def test_it_is_configured_to_lose_nothing(settings: Settings) -> None:
    async with running(settings.model_copy(update={"embedded_maxmemory": 123 << 20})) as store:
        names = (
            "appendonly",
            "appendfsync",
            "maxmemory-policy",
            "maxmemory",
            "hash-max-listpack-value",
            "port",
            "save",
        )
        found = [(await store.call(0, "CONFIG", "GET", name))[1] for name in names]
        assert found == [b"yes", b"everysec", b"noeviction", b"128974848", b"512", b"0", b""]


async def test_a_server_that_is_killed_comes_back_with_its_data(settings: Settings) -> None:
    async with running(settings) as store:
        await store.call(0, "SET", "{sw0}:x", "kept")
        os.kill(server_of(settings), signal.SIGKILL)
        assert await store.call(0, "GET", "{sw0}:x") == b"kept"


async def test_leaving_while_the_server_is_down_leaves_nothing_behind(settings: Settings) -> None:
    async with embedded(settings):
        os.kill(server_of(settings), signal.SIGKILL)
        await asyncio.sleep(0)
    lock = Household.of(settings.data_dir).lock()
    assert lock is not None
    os.close(lock)


async def test_a_torn_end_of_the_data_is_forgiven(settings: Settings) -> None:
    async with running(settings) as store:
        await store.call(0, "SET", "{sw0}:x", "kept")
    (log,) = (settings.data_dir / "redis" / "appendonlydir").glob("*.incr.aof")
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$1\r\nx")
    async with running(settings) as store:
        assert await store.call(0, "GET", "{sw0}:x") == b"kept"


async def test_a_second_start_joins_the_first_server(settings: Settings) -> None:
    async with running(settings) as first:
        await first.call(0, "SET", "{sw0}:x", "shared")
        process = server_of(settings)
        async with running(settings) as second:
            assert await second.call(0, "GET", "{sw0}:x") == b"shared"
            assert server_of(settings) == process
        assert await first.call(0, "PING") == b"PONG", "who joined does not stop it"
        async with Store.open(Settings(data_dir=settings.data_dir)) as third:
            assert await third.call(0, "GET", "{sw0}:x") == b"shared"


@pytest.mark.parametrize("port", [False, True], ids=["socket", "port too"])
async def test_who_joined_takes_the_server_over_when_its_owner_ends(settings: Settings, port: bool) -> None:
    settings = settings.model_copy(update={"embedded_port": free_port() if port else None})
    async with AsyncExitStack() as later:
        async with running(settings) as first:
            await first.call(0, "SET", "{sw0}:x", "shared")
            process = server_of(settings)
            second = await later.enter_async_context(running(settings))
        assert await second.call(0, "GET", "{sw0}:x") == b"shared"
        heir = server_of(settings)
        assert heir != process
    wait_for_the_end_of(heir)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_the_data_directory_of_another_user_is_refused_in_words(short_path: Path) -> None:
    folder = short_path / "data"
    Household.of(folder).furnish(Settings(data_dir=folder))
    short_path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(StoreMisconfigured, match="belongs to another user"):
            url_in(folder)
        with pytest.raises(StoreMisconfigured, match="belongs to another user"):
            Household(folder, folder / "redis.sock").lock()
    finally:
        os.seteuid(0)


async def test_starts_at_the_same_time_make_one_server(settings: Settings) -> None:
    ready = asyncio.Barrier(3)

    async def start() -> int:
        async with running(settings):
            process = await asyncio.to_thread(server_of, settings)
            await ready.wait()
            return process

    assert len(set(await asyncio.gather(*(start() for _ in range(3))))) == 1


async def test_who_is_cancelled_again_while_the_server_ends_waits_for_its_end_all_the_same(settings: Settings) -> None:
    up = asyncio.Event()

    async def serve() -> None:
        async with running(settings):
            up.set()
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await up.wait()
    process = server_of(settings)
    while not serving.done():
        serving.cancel()
        await asyncio.wait([serving], timeout=0.001)
    assert serving.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_the_server_ends_when_its_owner_is_killed_and_another_takes_over(short_path: Path) -> None:
    settings = Settings(data_dir=short_path / "data")
    first, url = owner(settings.data_dir)
    with Redis.from_url(url) as client:
        client.set("x", "kept")
    process = server_of(settings)
    first.kill()
    first.communicate()
    wait_for_the_end_of(process)
    second, url = owner(settings.data_dir)
    with Redis.from_url(url) as client:
        assert client.get("x") == b"kept"
    second.terminate()
    second.communicate()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(short_path: Path) -> None:
    process, _ = owner(short_path / "data")
    server = server_of(Settings(data_dir=short_path / "data"))
    try:
        assert os.getpgid(server) != os.getpgid(process.pid)
        assert os.getsid(server) == server
    finally:
        process.kill()
        process.communicate()
        wait_for_the_end_of(server)


@pytest.mark.parametrize("farewell", [True, False])
def test_without_help_of_the_kernel_a_watcher_ends_the_server(own_server: Server, farewell: bool) -> None:
    own_server.kill()
    near, far = os.pipe()
    lock = os.open(os.devnull, os.O_RDONLY)
    words = ["pipe", *map(str, (os.getpid(), near, lock, own_server.program, own_server.folder / "conf"))]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, launch.__file__, *words], pass_fds=(near, lock), stdout=quiet)
    own_server.process = process
    wait_until(lambda: own_server.ask("PING"))
    if farewell:
        os.write(far, b".")
    os.close(far)
    if farewell:
        assert own_server.ask("PING") == b"PONG"
    else:
        assert process.wait(10) == 0
    os.close(near)
    os.close(lock)


async def test_a_path_too_long_for_a_socket_gets_one_elsewhere(
    settings: Settings, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    deep = settings.model_copy(update={"data_dir": settings.data_dir / ("x" * 100)})
    async with running(deep) as store:
        assert await store.call(0, "PING") == b"PONG"
        assert Household.of(deep.data_dir).socket.is_relative_to(short_path)
        assert len(os.fsencode(Household.of(deep.data_dir).socket)) <= LONGEST_SOCKET


def test_a_socket_directory_others_can_enter_is_refused(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    folder = short_path / ("x" * 100)
    private = Household.of(folder).socket.parent
    private.chmod(0o777)
    with pytest.raises(StoreMisconfigured, match="can be entered by other users"):
        Household.of(folder)


async def test_a_port_is_opened_with_a_password_only(settings: Settings) -> None:
    port = free_port()
    async with embedded(settings.model_copy(update={"embedded_port": port})) as found:
        with Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        async with Store.open(found) as store:
            assert await store.call(0, "PING") == b"PONG"
        assert Household.of(settings.data_dir).configuration.stat().st_mode & 0o077 == 0


async def test_a_server_that_does_not_start_tells_why(settings: Settings) -> None:
    Household.of(settings.data_dir)
    logs = settings.data_dir / "redis" / "appendonlydir"
    logs.mkdir()
    (logs / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(StoreMisconfigured, match=r"does not start in .*manifest"):
        async with embedded(settings):
            pass


async def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreMisconfigured, match="file/data cannot be used: Not a directory"):
        async with embedded(Settings(data_dir=tmp_path / "file" / "data")):
            pass


async def test_an_address_in_the_settings_goes_before_everything(tmp_path: Path) -> None:
    settings = Settings(redis_url="redis://elsewhere", data_dir=tmp_path / "unused")
    async with embedded(settings) as found:
        assert found is settings
    assert not (tmp_path / "unused").exists()


def test_programs_on_the_path_go_before_ours_if_they_are_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake(tmp_path / "redis-server", "Redis server v=6.2.1 sha=0")
    assert find_program(None) == bundled()
    fake(tmp_path / "redis-server", "Redis server v=7.2.0 sha=0")
    assert find_program(None) == tmp_path / "redis-server"
    fake(tmp_path / "valkey-server", "Valkey server v=8.1.0 sha=0")
    assert find_program(None) == tmp_path / "valkey-server"


def fake(path: Path, version: str) -> None:
    """A program that says it has a version."""
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


def test_a_chosen_program_that_will_not_do_is_refused(tmp_path: Path) -> None:
    fake(tmp_path / "old", "Redis server v=6.2.1 sha=0")
    with pytest.raises(StoreMisconfigured, match=r"has version 6\.2"):
        find_program(tmp_path / "old")
    with pytest.raises(StoreMisconfigured, match="is no Redis or Valkey server"):
        find_program(tmp_path / "missing")


def test_configuration_values_are_quoted() -> None:
    assert quoted('a "b" \\ c') == '"a \\"b\\" \\\\ c"'


def test_memory_is_limited_to_a_share_of_the_machine(tmp_path: Path) -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 64 << 20 <= share_of_memory() <= machine // 4
    text = configuration_of(Household.of(tmp_path), Settings(embedded_fsync="always"), "")
    assert f'maxmemory "{share_of_memory()}"\n' in text
    assert 'appendfsync "always"\n' in text
