"""What a server process does."""

import gc
from collections.abc import Sequence
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


def check_keys(settings: Settings, host: str, *, dev: bool) -> None:
    """Raises `UnsafeAddress` when others could reach a server on `host` without a key."""
    Access(settings, dev=dev, host=host)


def dashboard(installation: Installation, *, dev: bool) -> Sequence[BaseRoute]:
    """The pages. The one place where the platform reaches for what is built on it, so by name and not by import."""
    pages: Sequence[BaseRoute] = import_module("stepwell.dashboard").routes(installation, dev=dev)
    return pages


async def serve(settings: Settings, host: str, listener: socket | None, *, dev: bool) -> int:
    """Serves until told to stop; answers the exit code.

    Args:
        settings: say where Redis is.
        host: what was asked for; a path when there is no listener.
        listener: takes the connections.
        dev: ask for no keys on loopback.
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
        await http.serve(sockets=None if listener is None else [listener])
        # It says what went wrong in its log.
        return 0 if http.started else 1
