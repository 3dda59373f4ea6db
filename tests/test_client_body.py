"""A body that is being sent: slow is fine, standing still is not."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from stepwell.client import Client, Event, Retry, Unreachable
from stepwell.client.body import PIECE, Body, Stalled

LARGE = 12_000_000  # more than the buffers of a connection take


class SlowWriter(AbstractStreamWriter):
    """Takes each piece after a pause."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.taken = b""

    async def write(self, chunk: bytes | bytearray | memoryview) -> None:
        self.taken += chunk

    async def drain(self) -> None:
        await asyncio.sleep(self.pause)

    async def write_eof(self, chunk: bytes = b"") -> None: ...

    def enable_compression(self, encoding: str = "deflate", strategy: int | None = None) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, status_line: str, headers: CIMultiDict[str]) -> None: ...


async def test_a_body_may_take_longer_than_the_limit_while_it_moves() -> None:
    content = bytes(range(256)) * (5 * PIECE // 256)
    writer = SlowWriter(0.15)
    await Body(content, 0.5).write_with_length(writer, len(content))
    assert writer.taken == content


async def test_a_body_that_stands_still_is_given_up() -> None:
    with pytest.raises(Stalled):
        await Body(b"x" * PIECE, 0.01).write_with_length(SlowWriter(30), PIECE)


@pytest.mark.parametrize("size", [PIECE, PIECE + 1, LARGE])
async def test_a_server_that_takes_nothing_is_given_up_with_its_connection(size: int) -> None:
    reading = asyncio.Event()
    taken = asyncio.get_running_loop().create_future()

    async def read_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await reading.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        taken.set_result(await counted(reader))
        writer.close()

    server = await asyncio.start_server(read_late, "127.0.0.1", 0, limit=1024)
    async with Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.2, retry=Retry(1)) as client:
        async with asyncio.timeout(20):
            with pytest.raises(Unreachable, match=r"nothing (of the request was taken|came) within the time limit"):
                await client.send(Event("a", {"text": "x" * size}))
    reading.set()
    assert (await taken < size) == (size == LARGE), "what was not taken yet is not sent any more"
    server.close()


async def counted(reader: asyncio.StreamReader) -> int:
    """Bytes that come until the connection ends."""
    count = 0
    try:
        while part := await reader.read(1 << 16):
            count += len(part)
    except ConnectionError:
        pass
    return count
