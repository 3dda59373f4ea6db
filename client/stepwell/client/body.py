"""A request body that takes its time while somebody takes it, and no longer."""

from __future__ import annotations

import asyncio
from io import BytesIO

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

# Bytes that are written before it is looked whether anything was taken; no more than these go out without a look.
PIECE = 1 << 14


class Stalled(TimeoutError):
    """The server took nothing of a body for too long."""


class Body(aiohttp.BytesIOPayload):
    """Bytes that are sent in pieces; for aiohttp, whose time limits begin when a body is sent.

    Args:
        content: what to send.
        silence: seconds after which it is given up when nothing was taken.
    """

    def __init__(self, content: bytes, silence: float) -> None:
        super().__init__(BytesIO(content))
        self._silence = silence

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Sends it, whole whatever `content_length`. Raises `Stalled`, and what the connection does."""
        self._value.seek(0)
        try:
            async with asyncio.timeout(self._silence) as limit:
                await self._send(writer, limit)
        except TimeoutError:
            _abort(writer)
            raise Stalled from None

    async def _send(self, writer: AbstractStreamWriter, limit: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        while piece := self._value.read(PIECE):
            await writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # a fast connection takes megabytes without ever giving way to others
            limit.reschedule(loop.time() + self._silence)


def _abort(writer: AbstractStreamWriter) -> None:
    # To be closed, a connection waits until it has sent what it was given.
    if isinstance(writer, StreamWriter) and writer.transport is not None:
        writer.transport.abort()
