"""The way from a served app to its server."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Protocol

from stepwell.client.answers import Answer, content
from stepwell.client.errors import ClientError, Unauthorized
from stepwell.client.pool import Pool
from stepwell.client.retry import Retry
from stepwell.functions.served.environment import Environment

CONNECTIONS: Final = 64
PATIENCE: Final = 10.0
"""Seconds to connect, and without a byte."""
TRIES: Final = Retry(tries=5, first=0.1, most=1.0, patience=5.0)
JSON: Final = {"Content-Type": "application/json"}


class Server(Protocol):
    """Asks the server."""

    async def post(self, path: str, body: bytes) -> Any:
        """What it answers to a request that bears being made twice. Raises `ClientError`."""
        ...


class Link:
    """The `Server` over HTTP, from whichever event loop it is used in.

    Args:
        environment: where the server is, and the keys.
        retry: bounds of asking again.
    """

    def __init__(self, environment: Environment, retry: Retry = TRIES) -> None:
        self._environment = environment
        self._retry = retry
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}

    @property
    def url(self) -> str:
        """Of the server."""
        return self._environment.server.url

    async def post(self, path: str, body: bytes) -> Any:
        """What the server answers to a request that bears being made twice.

        Raises:
            ClientError: it cannot be reached, or refuses.
        """
        return await self._retry.persist(lambda: self._post(path, body))

    async def _post(self, path: str, body: bytes) -> Any:
        refused: ClientError | None = None
        for headers in self._environment.authorizations:
            try:
                return content(await self._ask(path, body, headers), self.url + path)
            except Unauthorized as error:  # the server may have the other key already
                refused = refused or error
        assert refused is not None
        raise refused

    async def _ask(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        return await self._pool().ask("POST", path, {**JSON, **headers}, body)

    def _pool(self) -> Pool:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            for other in [one for one in self._pools if one.is_closed()]:
                del self._pools[other]
            self._pools[loop] = Pool(self.url, CONNECTIONS, connect=PATIENCE, silence=PATIENCE)
        return self._pools[loop]

    async def close(self) -> None:
        """Closes the connections of the running loop."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()
