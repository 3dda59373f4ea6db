"""What a server process does."""

from socket import socket

import structlog

from stepwell.platform.api.auth import Access
from stepwell.platform.clock import SystemClock
from stepwell.platform.installation import Installation
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.server import create_app, http_server
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store


def check_keys(settings: Settings, host: str, *, dev: bool) -> None:
    """Raises `UnsafeAddress` when others could reach a server on `host` without a key."""
    Access(settings, dev=dev, host=host)


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
        front = create_app(installation, dev=dev, host=host, work=[scheduler.run])
        if not dev:
            where = host if listener is None else "http://{}:{}".format(*listener.getsockname())
            structlog.get_logger("stepwell.server").info("server listens", where=where, redis=store.where)
        http = http_server(front, host=host, port=0)
        await http.serve(sockets=None if listener is None else [listener])
        # It says what went wrong in its log.
        return 0 if http.started else 1
