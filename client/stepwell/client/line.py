"""What a client holds for one event loop."""

from __future__ import annotations

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
