"""Kept-alive HTTP connections to one server, for one event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from types import MappingProxyType

import aiohttp
from yarl import URL

from stepwell.client.answers import Answer, content
from stepwell.client.body import PIECE, Body
from stepwell.client.failures import FAILURES, broken, failure
from stepwell.client.proxy import proxy_for
from stepwell.client.session import Session

NONE: Mapping[str, str] = MappingProxyType({})


class Pool:
    """Connections to one server, for one event loop.

    Args:
        url: the server, without keys.
        most: connections at a time; a request beyond waits for as long as it takes. 0 for any number.
        connect: seconds to look up the server, and to connect.
        silence: seconds in which nothing of a request is taken, or nothing of an answer comes.

    Raises:
        ValueError: the environment names a proxy that cannot be used.
    """

    def __init__(self, url: str, most: int, *, connect: float, silence: float) -> None:
        self._url = url
        self._base = str(URL(url)).rstrip("/")
        self._silence = silence
        self._session = Session(most, aiohttp.ClientTimeout(sock_connect=connect, sock_read=silence), proxy_for(url))

    async def ask(self, method: str, path: str, headers: Mapping[str, str] = NONE, body: bytes | None = None) -> Answer:
        """The answer to one request.

        Args:
            method: HTTP method.
            path: path and query, quoted.
            headers: headers besides those of every request.
            body: what to send.

        Raises:
            BrokeOff, Unreachable: no answer, or not all of it.
            Unexpected: what came cannot be read.
        """
        async with await self._request(method, path, headers, body) as response:
            return await self._read(response)

    async def lines(self, path: str, headers: Mapping[str, str] = NONE) -> AsyncGenerator[str]:
        """The lines of a response as they come; raises as `ask`, and as `content` when it is refused."""
        async with await self._request("GET", path, headers, None) as response:
            if response.status != 200:
                content(await self._read(response), self._url + path)
            try:
                async for line in _lines(response.content.iter_any()):
                    yield line
            except FAILURES as error:
                raise broken(error, self._url) from None

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> aiohttp.ClientResponse:
        # What is quoted already must not be quoted again. yarl remembers the URLs it parsed last.
        url = URL(self._base + path, encoded=True)
        data = Body(body, self._silence) if body is not None and len(body) > PIECE else body
        try:
            return await self._session.open().request(method, url, headers=headers, data=data, allow_redirects=False)
        except FAILURES as error:
            raise failure(error, self._url) from None

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        try:
            body = await response.read()
        except FAILURES as error:
            raise broken(error, self._url) from None
        return Answer(response.status, response.reason or "", response.headers, body)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode()
