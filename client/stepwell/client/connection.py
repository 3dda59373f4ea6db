"""HTTP with one server from one event loop: kept-alive connections, tries, and errors by their meaning."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from stepwell.client.address import Address
from stepwell.client.answers import content, field
from stepwell.client.errors import BrokeOff, Unexpected, Unreachable
from stepwell.client.retry import Retry

T = TypeVar("T")

# A held response carries a byte every 15 s; three in a row may be lost before it counts as broken.
HELD_SILENCE = 45.0
CONNECTIONS = 32
ANY_NUMBER = 0
JSON = {"Content-Type": "application/json"}


class Connection:
    """Calls to one server, each tried again as `retry` allows.

    Args:
        address: server and keys.
        retry: bounds of trying again.
        timeout: seconds to look up the server, to connect, and without a byte taken or given.
    """

    def __init__(self, address: Address, retry: Retry, timeout: float) -> None:
        # The HTTP library takes longer to import than all the rest, and who only defines functions never needs it.
        from stepwell.client.pool import Pool

        self._address = address
        self._retry = retry
        self._keys = address.headers()
        self._calls = Pool(address.url, CONNECTIONS, connect=timeout, silence=timeout)
        # Held responses have a pool of their own: a thousand of them must not starve or slow the calls.
        self._waits = Pool(address.url, ANY_NUMBER, connect=timeout, silence=HELD_SILENCE)

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
        answer = content(await self._calls.ask("POST", self._address.ingest, JSON, body), self.url)
        ids: list[str] = field(answer, "ids", self.url)
        return ids

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Read a path of the API; returns the parsed JSON."""
        return await self._retry.persist(lambda: self._ask("GET", path, params or {}))

    async def post(self, path: str, body: bytes | None = None) -> Any:
        """Act on a path of the API, which has to bear being asked twice; returns the parsed JSON.

        Args:
            path: path of the API.
            body: JSON, None for none.
        """
        return await self._retry.persist(lambda: self._post(path, body))

    async def _post(self, path: str, body: bytes | None) -> Any:
        headers = self._keys if body is None else self._keys | JSON
        return content(await self._calls.ask("POST", path, headers, body), self.url + path)

    async def _ask(self, method: str, path: str, params: Mapping[str, str | int]) -> Any:
        query = f"?{urlencode(params)}" if params else ""
        return content(await self._calls.ask(method, path + query, self._keys), self.url + path)

    async def held(self, path: str, last: Callable[[Any], T | None], *, post: bytes | None = None) -> T:
        """Ask a path whose response the server holds open until there is something to say.

        A response that breaks is asked for again, for at most `patience` seconds once it had been held.

        Args:
            path: path of the API.
            last: makes the result of a parsed answer, None if it is not the last word.
            post: JSON to post, which has to bear being posted twice; None to read.
        """
        retry = self._retry
        while True:
            result = await retry.persist(lambda: self._hold(path, last, post))
            if result is not None:
                return result
            retry = replace(self._retry, tries=sys.maxsize)

    async def _hold(self, path: str, last: Callable[[Any], T | None], post: bytes | None) -> T | None:
        """The last word, or None if the response broke off after it was held for a while."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer = await self._listen(path, post)
        result = None if answer is None else last(answer)
        if result is None and loop.time() - begun < self._retry.most:
            raise Unreachable(self.url, "it let go of the response before there was an answer")
        return result

    async def _listen(self, path: str, post: bytes | None) -> Any:
        """What a held response ends with, None if it breaks off without an answer."""
        method, headers = ("GET", self._keys) if post is None else ("POST", self._keys | JSON)
        try:
            answer = await self._waits.ask(method, f"{path}?wait=true", headers, post)
        except BrokeOff:
            return None
        return content(answer, self.url + path) if answer.status >= 400 or answer.body.strip() else None

    def lines(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[str]:
        """The lines of a response without an end; raises what other calls do when it breaks, and never tries again."""
        return self._waits.lines(f"{path}?{urlencode(params)}", self._keys)

    async def close(self) -> None:
        """Close every connection."""
        await self._calls.close()
        await self._waits.close()
