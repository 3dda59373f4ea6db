"""What a server process does."""

import asyncio
import gc
import signal
from collections.abc import Generator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib import import_module
from socket import socket
from types import FrameType

import structlog
from starlette.routing import BaseRoute

from stepwell.platform.api.auth import Access, is_local
from stepwell.platform.cli.port import url_of
from stepwell.platform.clock import SystemClock
from stepwell.platform.executor.remote.apps import RemoteApps
from stepwell.platform.executor.remote.sealing import Sealed
from stepwell.platform.installation import Installation
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.server import HttpServer, create_app, http_server
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.signing import keys_of

GC_THRESHOLD = (50_000, 20, 100)
"""As in a worker: what a request makes dies by its reference counts."""
PATIENCE = 10.0
"""Seconds for which connections wait for the first worker of `stepwell dev`."""


def check_keys(settings: Settings, host: str, *, dev: bool) -> None:
    """Raises `UnsafeAddress` when others could reach a server on `host` without a key.

    `BadKey` and `BadSigningKey` for a wrong one.
    """
    Access(settings, dev=dev, host=host)
    keys_of(settings)


def dashboard(installation: Installation, *, dev: bool) -> Sequence[BaseRoute]:
    """The pages. The one place where the platform reaches for what is built on it, so by name and not by import."""
    pages: Sequence[BaseRoute] = import_module("stepwell.dashboard").routes(installation, dev=dev)
    return pages


async def something_in(pipe: int) -> None:
    """Returns when there is something to read in it, or at the end of patience; reads nothing."""
    there, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(pipe, there.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await there.wait()
    finally:
        loop.remove_reader(pipe)


@contextmanager
def stoppable() -> Generator[None]:
    """Within it, SIGINT and SIGTERM cancel the running task."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def stop(number: int, frame: FrameType | None) -> None:
        task.cancel()
        loop.call_soon_threadsafe(lambda: None)  # it may be asleep

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def serve(settings: Settings, host: str, listener: socket | None, *, dev: bool, after: int | None = None) -> int:
    """Serves until told to stop; answers the exit code.

    Args:
        settings: say where Redis is.
        host: what was asked for; a path when there is no listener.
        listener: takes the connections.
        dev: ask for no keys on loopback.
        after: a pipe; connections wait until something comes out of it, or for 10 s.
    """
    async with AsyncExitStack() as stack:
        try:
            with stoppable():
                store = await stack.enter_async_context(Store.open(settings))
                http = _http(store, settings, host, listener, dev=dev)
                if after is not None:
                    await something_in(after)
                await asyncio.sleep(0)  # a signal that came while nothing was awaited takes effect here
        except asyncio.CancelledError:
            return 0
        await http.serve(sockets=None if listener is None else [listener])
        # It says what went wrong in its log.
        return 0 if http.started else 1


def _http(store: Store, settings: Settings, host: str, listener: socket | None, *, dev: bool) -> HttpServer:
    """All that serves, ready to begin."""
    clock = SystemClock()
    installation = Installation.over(store, settings, clock)
    scheduler = Scheduler(installation.partitions, clock, settings, installation.waits.errands, installation.registry)
    pages = dashboard(installation, dev=dev)
    addresses = Addresses.of(settings, local=is_local(host))
    apps = RemoteApps(installation, Sealed(keys_of(settings), clock), addresses, "dev" if dev else "cloud")
    front = create_app(installation, dev=dev, host=host, routes=pages, work=[scheduler.run, apps.run])
    if not dev:
        where = host if listener is None else url_of(listener)
        structlog.get_logger("stepwell.server").info("server listens", where=where, redis=store.where)
    # What is there by now stays for good: the collector need not look at it again and again.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    return http_server(front, host=host, port=0)
