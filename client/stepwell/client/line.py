"""What a client holds for each event loop."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Self

from stepwell.client.address import Address
from stepwell.client.connection import Connection
from stepwell.client.outbox import Outbox
from stepwell.client.retry import Retry


@dataclass(frozen=True, slots=True)
class Line:
    """A connection and the outbox that sends through it; both belong to the loop in which they were made."""

    connection: Connection
    outbox: Outbox

    @classmethod
    def open(cls, address: Address, retry: Retry, timeout: float) -> Self:
        """A line to the server; nothing is connected before the first call."""
        connection = Connection(address, retry, timeout)
        return cls(connection, Outbox(connection.ingest))

    async def close(self) -> None:
        """Let the events on their way arrive, then close the connection."""
        await self.outbox.close()
        await self.connection.close()


class Lines:
    """The lines of a client, one for each event loop in which it is used; arguments as in `Client`."""

    def __init__(self, address: Address, retry: Retry, timeout: float) -> None:
        self._address = address
        self._retry = retry
        self._timeout = timeout
        self._open: dict[asyncio.AbstractEventLoop, Line] = {}

    def here(self) -> Line:
        """The line of the running loop."""
        loop = asyncio.get_running_loop()
        line = self._open.get(loop)
        if line is None:
            line = self._open[loop] = Line.open(self._address, self._retry, self._timeout)
            self._forget_closed()
        return line

    def connection(self) -> Connection:
        """That of the running loop."""
        return self.here().connection

    async def hang_up(self) -> None:
        """Close the line of the running loop, if there is one."""
        line = self._open.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.close()

    def _forget_closed(self) -> None:
        for loop in list(self._open):
            if loop.is_closed():
                self._open.pop(loop, None)
