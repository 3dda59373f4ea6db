"""What `stepwell dev` keeps running: Redis, a server, and a worker."""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from socket import socket

from stepwell.client import ClientError
from stepwell.platform.cli.announcing import greet, invite, warn
from stepwell.platform.cli.api import connected
from stepwell.platform.cli.console import say
from stepwell.platform.cli.discovering import PORTS, Discovery
from stepwell.platform.cli.part import Part
from stepwell.platform.cli.port import url_of
from stepwell.platform.cli.stopping import on_signals
from stepwell.platform.server import GRACE
from stepwell.platform.settings import Settings
from stepwell.platform.store.address import Address
from stepwell.platform.store.embedded import embedded
from stepwell.platform.store.store import Store

MARGIN = 5.0
"""Seconds a part has to stop beyond those it takes to drain."""


async def keep(settings: Settings, target: str | None, host: str, listener: socket, *, discovery: bool) -> int:
    """Keeps all running until told to stop, then stops the worker, the server and Redis in this order.

    Args:
        settings: say where the data is, or which Redis to use.
        target: whose functions the worker executes; `None` for no worker.
        host: what was asked for.
        listener: where the server's connections come in. It stays open when the server dies: they wait for the next.
        discovery: look for apps that are served over HTTP on this machine.
    """
    task = asyncio.current_task()
    assert task is not None
    on_signals(task.cancel)
    try:
        async with running(settings, target, host, listener) as where:
            greet(url_of(listener), settings.data_dir.resolve(), where)
            if target is None:
                warn("no functions here: start with `stepwell dev path/to/file.py`, or serve some: see docs/serving.md")
                invite("hello", url_of(listener))
            await answering(url_of(listener))
            if discovery:
                await discover(url_of(listener), listener.getsockname()[1])
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("Stopped.")
    return 0


async def discover(url: str, own: int) -> None:
    """Looks for apps for as long as there is a server at an address, which listens on the port `own`."""
    async with connected(url) as connection:
        ports = [port for port in PORTS if port != own]
        await Discovery(connection, lambda text: say(f"  {text}"), warn, ports).run()


@asynccontextmanager
async def running(settings: Settings, target: str | None, host: str, listener: socket) -> AsyncGenerator[str]:
    """Runs all parts meanwhile. Gives the address of Redis, without secrets."""
    async with embedded(settings) as found, AsyncExitStack() as parts:
        async with Store.open(found):
            pass  # what is wrong with a Redis of one's own is said once, and not by each part again and again
        inside = surroundings(found, url_of(listener))
        # The server begins when the functions are known: an event that came before them would start nothing.
        reading, writing = parts.enter_context(pipe())
        words = ["server", "--host", host, "--dev", str(listener.fileno())]
        after = [] if target is None else ["--after", str(reading)]
        inherited = [listener.fileno(), reading]
        await parts.enter_async_context(Part("server", words + after, inside, GRACE + MARGIN, inherited))
        if target is not None:
            words, patience = ["worker", target, "--dev", str(writing)], settings.drain_patience + MARGIN
            await parts.enter_async_context(Part("worker", words, inside, patience, [writing]))
        try:
            yield Address.parse(str(found.redis_url)).where
        finally:
            say("Stopping; steps that are executing may finish. Ctrl-C again stops at once.")


@contextmanager
def pipe() -> Generator[tuple[int, int]]:
    """Both ends of a pipe."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def surroundings(settings: Settings, url: str) -> Mapping[str, str]:
    """The environment of the parts. Code that uses `stepwell.client` in them finds this server."""
    ours = {
        "STEPWELL_REDIS_URL": str(settings.redis_url),
        "STEPWELL_DATA_DIR": str(settings.data_dir.resolve()),
        "STEPWELL_URL": url,
        "PYTHONUNBUFFERED": "1",
    }
    return os.environ | ours


async def answering(url: str) -> None:
    """Returns when the server is ready, or says that it is not. Connections wait in the socket, so few tries do."""
    async with connected(url) as connection:
        for _ in range(10):
            try:
                await connection.get("/health/ready")
            except ClientError:
                await asyncio.sleep(0.2)
            else:
                return
    warn("the server does not answer yet; what it printed says why")
