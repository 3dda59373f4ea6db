"""Servers and stores that tests ask for by name."""

import asyncio
import faulthandler
import functools
import inspect
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
from hypothesis import HealthCheck, settings

from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.dealing import dealt
from tests.fault_proxy import FaultProxy
from tests.redis_servers import Cluster, Server, free_port, program
from tests.sdk_apps import installed_express

# How long an example takes is no matter of any test here: on a busy machine each may take very long once.
settings.register_profile("whatever the machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("whatever the machine")

# A traceback in colour, with all that is in every variable, takes seconds to lay out.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

FINISHING = 30.0
"""Seconds of a test's limit that are left for its fixtures, when it hangs."""

STDERR = pytest.StashKey[int]()
"""Where a process of tests says its last words."""


def pytest_configure(config: pytest.Config) -> None:
    """Keeps the real standard error, which is captured during tests."""
    config.stash[STDERR] = os.dup(sys.stderr.fileno())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Lets go of it."""
    os.close(config.stash[STDERR])


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` runs what is too long for every day."""
    parser.addoption("--soak", action="store_true", help="run the long crash and load tests too")
    parser.addoption("--soak-seed", type=int, default=1, help="of the random moments in them (default: 1)")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """More than there are processors: tests of real processes wait for those a good part of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is marked `soak`, unless it is asked for; deals the tests to the processes that share them."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = bounded(item.obj, limit_of(item) - FINISHING)
    if not config.getoption("--soak"):
        for item in items:
            if "soak" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="runs for minutes; only with --soak"))
    worker: dict[str, int] | None = getattr(config, "workerinput", None)
    if worker is not None:
        items[:] = dealt(items, worker["workercount"])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Ends a process that not even the limit of a test ends, and says where it was."""
    faulthandler.dump_traceback_later(limit_of(item) + FINISHING, exit=True, file=item.config.stash[STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def limit_of(item: pytest.Item) -> float:
    """Seconds that a test may take."""
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0] if mark else str(item.config.getini("timeout")))


def bounded(test: Callable[..., Awaitable[None]], limit: float) -> Callable[..., Awaitable[None]]:
    """An async test that is cancelled where it hangs. A signal would leave its fixtures waiting for it for ever."""

    @functools.wraps(test)
    async def run(*args: Any, **named: Any) -> None:
        async with asyncio.timeout(limit):
            await test(*args, **named)

    return run


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Everything runs on asyncio."""
    return "asyncio"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no STEPWELL_ variable that they did not set."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"STEPWELL_{name.upper()}", raising=False)


@pytest.fixture(scope="session")
def session_path() -> Generator[Path]:
    """A folder with a path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="sw", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def short_path() -> Generator[Path]:
    """The same, for one test."""
    with tempfile.TemporaryDirectory(prefix="sw", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_process(session_path: Path) -> Generator[Server]:
    """The Redis of the machine, for the whole run."""
    server = Server(program("redis"), session_path / "redis", options={"appendonly": "yes"}).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def valkey_process(session_path: Path) -> Generator[Server]:
    """The Valkey that comes with us, for the whole run."""
    server = Server(program("valkey"), session_path / "valkey", options={"appendonly": "yes"}).start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(redis_process: Server) -> Server:
    """An empty Redis."""
    redis_process.ask("FLUSHALL")
    return redis_process


@pytest.fixture
def valkey_server(valkey_process: Server) -> Server:
    """An empty Valkey."""
    valkey_process.ask("FLUSHALL")
    return valkey_process


@pytest.fixture
def own_server(short_path: Path) -> Generator[Server]:
    """A Redis of the test's own, which it may kill."""
    server = Server(program("redis"), short_path / "own", options={"appendonly": "yes"}).start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def cluster_processes(session_path: Path) -> Generator[Cluster]:
    """Three masters, for the whole run."""
    nodes = [Server(program("redis"), session_path / f"node{index}", port=free_port()) for index in range(3)]
    cluster = Cluster(nodes)
    try:
        yield cluster.start()
    finally:
        cluster.kill()


@pytest.fixture
def cluster(cluster_processes: Cluster) -> Cluster:
    """Three masters, empty."""
    for node in cluster_processes.nodes:
        node.ask("FLUSHALL")
    return cluster_processes


@pytest.fixture
async def proxy(redis_server: Server, short_path: Path) -> AsyncGenerator[FaultProxy]:
    """A proxy before an empty Redis, to break things with."""
    async with FaultProxy(redis_server.socket, short_path / "proxy").running() as running:
        yield running


@pytest.fixture(params=["memory", "redis", "valkey"])
async def store(request: pytest.FixtureRequest) -> AsyncGenerator[Store]:
    """An empty store of one partition, in turn over fakeredis, Redis and Valkey."""
    if request.param == "memory":
        async with memory_store() as opened:
            yield opened
    else:
        server: Server = request.getfixturevalue(f"{request.param}_server")
        async with Store.open(Settings(redis_url=server.url)) as opened:
            yield opened


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line that is seen although the test passes."""

    def line(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}\n")

    return line


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """Of the random moments of soaks."""
    return cast("int", request.config.getoption("--soak-seed"))


@pytest.fixture(scope="session")
def express(request: pytest.FixtureRequest) -> Path:
    """The apps of tests/sdk/express with their packages."""
    cache = request.config.cache
    assert cache is not None
    return installed_express(cache.mkdir("sdk"))
