"""A proxy before a Redis server that loses, delays and swallows what it is told to, on a unix socket.

It carries one command at a time, so "the third command" is exact. It does not carry subscriptions.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, cast

import hiredis

from stepwell.platform.store.connection import pack

Moment: TypeAlias = Literal["before", "after"]
Words: TypeAlias = "tuple[bytes, ...]"

HANDSHAKE = frozenset({b"CLIENT", b"HELLO", b"AUTH", b"SELECT"})


@dataclass
class FaultProxy:
    """Faults are set while it runs. Handshakes of connections are neither counted nor cut.

    Args:
        upstream: socket of the real server.
        socket: where the proxy listens.
        seen: the commands that came, in order.
        connections: how many were made.
        stalled: while True nothing is carried, and connections stay open: a half-open network.
        delay: seconds each reply is held back.
    """

    upstream: Path
    socket: Path
    seen: list[Words] = field(default_factory=list[Words])
    connections: int = 0
    stalled: bool = False
    delay: float = 0.0
    cuts: dict[int, Moment] = field(default_factory=dict[int, Moment])
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Its address for a Store."""
        return f"unix://{self.socket}"

    def cut(self, moment: Moment, nth: int = 1) -> None:
        """Breaks the connection before the n-th command from now reaches the server, or after its reply was lost."""
        self.cuts[len(self.seen) + nth] = moment

    async def saw(self, count: int) -> None:
        """Returns when `count` commands have come."""
        while len(self.seen) < count:
            self.moved.clear()
            await self.moved.wait()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["FaultProxy"]:
        """Listens until the end of the block."""
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = cast("asyncio.Task[None]", asyncio.current_task())
            tasks.add(task)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._carry(reader, writer)
            tasks.discard(task)
            writer.close()

        server = await asyncio.start_unix_server(accept, self.socket)
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_unix_connection(self.upstream)
        commands = hiredis.Reader()
        try:
            while data := await reader.read(65536):
                commands.feed(data)
                while command := cast("list[bytes] | bool", commands.gets()):
                    words = tuple(cast("list[bytes]", command))
                    reply = await self._forward(words, up_reader, up_writer)
                    if reply is None:
                        return
                    writer.write(reply)
        finally:
            up_writer.close()

    async def _forward(self, words: Words, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """The reply to a command; None to cut."""
        moment = self._count(words)
        if moment == "before":
            return None
        if self.stalled:
            await asyncio.Event().wait()
        writer.write(pack(words))
        reply = await whole_reply(reader)
        await asyncio.sleep(self.delay)
        return None if moment == "after" else reply

    def _count(self, words: Words) -> Moment | None:
        if words[0].upper() in HANDSHAKE:
            return None
        self.seen.append(words)
        self.moved.set()
        return self.cuts.get(len(self.seen))


async def whole_reply(reader: asyncio.StreamReader) -> bytes:
    """The bytes of one reply."""
    parser, raw = hiredis.Reader(), b""
    while parser.gets() is False:
        data = await reader.read(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        raw += data
        parser.feed(data)
    return raw
