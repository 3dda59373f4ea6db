"""What a server process does."""

import asyncio
import gc
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from socket import socket

import structlog
from starlette.routing import BaseRoute

from stepwell.platform.api.auth import Access
from stepwell.platform.cli.port import url_of
from stepwell.platform.clock import SystemClock
from stepwell.platform.installation import Installation
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.server import create_app, http_server
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store

GC_THRESHOLD = (50_000, 20, 100)
"""As in a worker: what a request makes dies by its reference counts."""
PATIENCE = 10.0
"""Seconds for which connections wait for the first worker of `stepwell dev`."""


def check_keys(settings: Settings, host: str, *, dev: bool) -> None:
    """Raises `UnsafeAddress` when others could reach a server on `host` without a key."""
    Access(settings, dev=dev, host=host)


def dashboard(installation: Installation, *, dev: bool) -> Sequence[BaseRoute]:
    """The pages. The one place where the platform reaches for what is built on it, so by name and not by import."""
    pages: Sequence[BaseRoute] = import_module("stepwell.dashboard").routes(installation, dev=dev)
    return pages


async def something_in(pipe: int) -> None:
    """Returns when there is something to read in it, or at the end of patience; reads nothing."""
    there, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(pipe, there.set)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await there.wait()
    loop.remove_reader(pipe)


async def serve(settings: Settings, host: str, listener: socket | None, *, dev: bool, after: int | None = None) -> int:
    """Serves until told to stop; answers the exit code.

    Args:
        settings: say where Redis is.
        host: what was asked for; a path when there is no listener.
        listener: takes the connections.
        dev: ask for no keys on loopback.
        after: a pipe; connections wait until something comes out of it, or for 10 s.
    """
    async with Store.open(settings) as store:
        clock = SystemClock()
        installation = Installation.over(store, settings, clock)
        scheduler = Scheduler(installation.partitions, clock, settings)
        pages = dashboard(installation, dev=dev)
        front = create_app(installation, dev=dev, host=host, routes=pages, work=[scheduler.run])
        if not dev:
            where = host if listener is None else url_of(listener)
            structlog.get_logger("stepwell.server").info("server listens", where=where, redis=store.where)
        # What is there by now stays for good: the collector need not look at it again and again.
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        http = http_server(front, host=host, port=0)
        if after is not None:
            await something_in(after)
        await http.serve(sockets=None if listener is None else [listener])
        # It says what went wrong in its log.
        return 0 if http.started else 1
