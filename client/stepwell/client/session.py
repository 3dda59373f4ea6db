"""aiohttp's session, which is closed even if its owner forgets it."""

from __future__ import annotations

import asyncio
import socket
import sys
import weakref
from collections.abc import AsyncGenerator
from contextlib import suppress
from importlib.metadata import version
from types import AsyncGeneratorType
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult

# Below the 5 s after which servers usually close an idle connection, so that none is reused while it is being closed.
KEEP_ALIVE = 4.0
# Seconds for which a session outlives its owner. An owner often goes in the last turn of a loop, and a task that closes
# connections would then be begun and never end; what is left when a loop ends, the loop closes.
LINGER = 0.1


class Session:
    """Opens a session at the first request, and another one when that was closed by the end of its loop.

    A session that nobody closes is closed soon after this is dropped, or when the loop ends; if neither is possible any
    more, its sockets are let go without a word.

    Args:
        most: connections at a time, 0 for any number.
        timeout: bounds of a request.
        proxy: URL of the proxy, None for none.
    """

    def __init__(self, most: int, timeout: aiohttp.ClientTimeout, proxy: str | None) -> None:
        self._most = most
        self._timeout = timeout
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._guard: AsyncGeneratorType[None, None] | None = None
        self._closed = False

    def open(self) -> aiohttp.ClientSession:
        """The session for the next request, in the running loop.

        Raises:
            RuntimeError: this was closed.
        """
        if self._closed:
            raise RuntimeError("the connection to the server was closed")
        if self._session is None or self._session.closed:
            self._session = self._opened()
        return self._session

    def _opened(self) -> aiohttp.ClientSession:
        resolver = _Resolver(self._timeout.sock_connect)
        connector = _Connector(limit=self._most, keepalive_timeout=KEEP_ALIVE, resolver=resolver)
        self._guard = _begun(_until_end(connector))
        session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": f"stepwell-client/{version('stepwell')}"},
            skip_auto_headers=["Content-Type"],
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=self._proxy,
        )
        weakref.finalize(self, _let_go, session, self._guard, asyncio.get_running_loop())
        return session

    async def close(self) -> None:
        """Close every connection, for good."""
        self._closed = True
        if self._session is None or self._guard is None:
            return
        # In this order, and not if the end of the loop does it already: a generator that awaits cannot be ended twice.
        await self._session.close()
        if not self._guard.ag_running:
            await self._guard.aclose()


class _Resolver(aiohttp.ThreadedResolver):
    """Looks names up for `patience` seconds at most; a limit of aiohttp's own would count the wait for a slot, too."""

    def __init__(self, patience: float | None) -> None:
        super().__init__()
        self._patience = patience

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        async with asyncio.timeout(self._patience):
            return await super().resolve(host, port, family)


class _Connector(aiohttp.TCPConnector):
    """Says nothing when it is dropped unclosed: that happens only when nothing can close it any more."""

    def __del__(self, *_: Any) -> None:
        pass

    @property
    def closed(self) -> bool:
        return super().closed or sys.is_finalizing()  # sessions ask this before they complain


async def _until_end(connector: aiohttp.TCPConnector) -> AsyncGenerator[None]:
    """Closes the connector when it ends.

    An event loop ends its async generators when they are dropped, and `asyncio.run` those that are left before it
    closes the loop, after which no connection could be closed any more.
    """
    try:
        yield
    except GeneratorExit:
        await connector.close()
        raise


def _let_go(
    session: aiohttp.ClientSession, guard: AsyncGeneratorType[None, None], loop: asyncio.AbstractEventLoop
) -> None:
    """Drops a session without a word. The guard closes the connections of a loop that runs, else goes on to its end."""
    session.detach()
    with suppress(StopAsyncIteration, RuntimeError):
        if loop.is_running():
            loop.call_soon_threadsafe(loop.call_later, LINGER, _drop, guard)
        else:
            guard.asend(None).send(None)


def _drop(guard: AsyncGeneratorType[None, None]) -> None:
    """Lets go of what it is given."""


def _begun(generator: AsyncGenerator[None]) -> AsyncGeneratorType[None, None]:
    """The generator at its first `yield`, since a loop knows only those that were begun."""
    assert isinstance(generator, AsyncGeneratorType)
    try:
        generator.asend(None).send(None)
    except StopIteration:
        return generator
    raise AssertionError("the generator awaits before its first yield")
