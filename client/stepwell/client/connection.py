"""HTTP with one server from one event loop: kept-alive connections, tries, and errors by their meaning."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import httpx2

from stepwell.client.address import Address
from stepwell.client.answers import content, field
from stepwell.client.errors import Unexpected, Unreachable
from stepwell.client.retry import Retry

# A held response carries a byte every 15 s; three in a row may be lost before it counts as broken.
HELD_SILENCE = 45.0
# Below the 5 s after which servers usually close an idle connection, so that none is reused while it is being closed.
KEEP_ALIVE = 4.0
CONNECTIONS = 32
WAIT = "%s?wait=true"


class Connection:
    """Calls to one server, each tried again as `retry` allows.

    Args:
        address: server and keys.
        retry: bounds of trying again.
        timeout: seconds to connect, and between any two bytes of an answer.
    """

    def __init__(self, address: Address, retry: Retry, timeout: float) -> None:
        self._address = address
        self._retry = retry
        self._timeout = timeout
        self._ingest_url = httpx2.URL(address.url + address.ingest)  # parsed once: it is on the path of every send
        # A TLS context takes tens of ms to build; plain http never asks for one.
        verify = httpx2.create_ssl_context() if address.secure else False
        self._calls = self._pool(verify, CONNECTIONS, httpx2.Timeout(timeout, pool=None))
        # Held responses have a pool of their own: a thousand of them must not starve or slow the calls.
        self._waits = self._pool(verify, None, httpx2.Timeout(timeout, read=HELD_SILENCE, pool=None))

    def _pool(self, verify: Any, most: int | None, timeout: httpx2.Timeout) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"User-Agent": f"stepwell-client/{version('stepwell')}"},
            verify=verify,
            timeout=timeout,
            limits=httpx2.Limits(
                max_connections=most, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEEP_ALIVE
            ),
        )

    @property
    def url(self) -> str:
        """Address of the server, without keys."""
        return self._address.url

    async def ingest(self, body: bytes, count: int) -> list[str]:
        """Post a JSON array of `count` events, each with its own id, and return the server's ids in their order."""
        ids = await self._retry.persist(lambda: self._ingest(body))
        if len(ids) != count:
            raise Unexpected(self.url, f"answered with {len(ids)} ids for {count} events")
        return ids

    async def _ingest(self, body: bytes) -> list[str]:
        headers = {"Content-Type": "application/json"}
        answer = await self._call("POST", self._ingest_url, headers=headers, content=body)
        ids: list[str] = field(answer, "ids", self.url)
        return ids

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Read a path of the API; returns the parsed JSON."""
        return await self._retry.persist(lambda: self._ask("GET", path, params))

    async def post(self, path: str) -> Any:
        """Act on a path of the API, which has to bear being asked twice; returns the parsed JSON."""
        return await self._retry.persist(lambda: self._ask("POST", path))

    async def held(self, path: str, ended: Callable[[Any], bool], *, post: bytes | None = None) -> Any:
        """Ask a path whose response the server holds open until there is something to say.

        A response that breaks is asked for again, for at most `patience` seconds once it had been held.

        Args:
            path: path of the API.
            ended: whether a parsed answer is the last word.
            post: JSON to post, which has to bear being posted twice; None to read.
        """
        retry = self._retry
        while True:
            answer = await retry.persist(lambda: self._hold(path, ended, post))
            if answer is not None:
                return answer
            retry = replace(self._retry, tries=sys.maxsize)

    async def _hold(self, path: str, ended: Callable[[Any], bool], post: bytes | None) -> Any:
        """The last word, or None if the response broke off after it was held for a while."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await self._listen(path, post)
        if answer is not None and ended(answer):
            return answer
        if loop.time() - begun < self._retry.most:
            raise Unreachable(self.url, "it let go of the response before there was an answer")
        return None

    async def _listen(self, path: str, post: bytes | None) -> Any:
        """What a held response ends with, None if it breaks off without an answer."""
        opened = False
        method = "GET" if post is None else "POST"
        headers = {**self._address.headers(), "Content-Type": "application/json"}
        try:
            async with self._waits.stream(method, WAIT % path, headers=headers, content=post) as response:
                opened = True
                body = await response.aread()
        except httpx2.HTTPError as error:
            if opened:
                return None
            raise self._failure(error) from error
        return content(response, self.url + path) if response.is_error or body.strip() else None

    async def _ask(self, method: str, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        return await self._call(method, path, shown=path, headers=self._address.headers(), params=params)

    async def _call(self, method: str, path: str | httpx2.URL, *, shown: str = "", **options: Any) -> Any:
        try:
            response = await self._calls.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise self._failure(error) from error
        return content(response, self.url + shown)

    def _failure(self, error: httpx2.HTTPError) -> Unreachable | Unexpected:
        match error:
            case httpx2.TimeoutException():
                return Unreachable(self.url, f"nothing came within the time limit ({type(error).__name__})")
            case httpx2.TransportError():
                return Unreachable(self.url, str(error) or type(error).__name__)
            case _:
                return Unexpected(self.url, f"answered with what cannot be read ({error})")

    async def close(self) -> None:
        """Close every connection."""
        await self._calls.aclose()
        await self._waits.aclose()
