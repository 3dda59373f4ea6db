"""Messages published by scripts, read on a connection of its own that is set up again whenever it breaks."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TypeAlias

import structlog

from stepwell.platform.store.connection import BACKOFF, BROKEN, Reply, Unanswered, Wire, hang_up
from stepwell.platform.store.routes import Routes

Message: TypeAlias = tuple[str, bytes]
"""Channel and payload."""


@asynccontextmanager
async def subscription(routes: Routes, channels: Sequence[str]) -> AsyncGenerator[AsyncGenerator[Message | None]]:
    """Messages of the channels, and `None` whenever they have been (re)subscribed to.

    A plain PUBLISH reaches every node of a cluster, so the server of the first partition serves for all.
    """
    async with aclosing(endless(routes, channels)) as messages:
        yield messages


async def endless(routes: Routes, channels: Sequence[str]) -> AsyncGenerator[Message | None]:
    """The messages of one connection after another."""
    log = structlog.get_logger("stepwell.store")
    failures = 0
    while True:
        wire = routes.topology.dial(routes.lines[0].where)()
        try:
            async with asyncio.timeout(routes.limits.deadline):
                await subscribe(wire, channels)
            failures = 0
            yield None
            async with aclosing(receive(wire, routes.limits.deadline)) as messages:
                async for message in messages:
                    yield message
        except BROKEN as error:
            failures += 1
            if failures == 1:
                log.warning("messages from redis are interrupted", where=routes.topology.where, reason=str(error))
        finally:
            await hang_up(wire)
        await asyncio.sleep(BACKOFF.compute(failures))
        await look_around(routes)


async def subscribe(wire: Wire, channels: Sequence[str]) -> None:
    """Returns when the server has confirmed every channel."""
    await wire.connect()
    await wire.send_command("SUBSCRIBE", *channels)
    for _ in channels:
        await wire.read_response(disable_decoding=True)


async def receive(wire: Wire, deadline: float) -> AsyncGenerator[Message]:
    """Messages until the connection breaks. A silent one is asked whether it is alive. Raises ConnectionError."""
    asked = False
    while True:
        reply: Reply = await wire.read_response(disable_decoding=True, timeout=deadline, disconnect_on_error=False)
        if reply is not None:
            asked = False
            if reply[0] == b"message":
                yield reply[1].decode(), reply[2]
        elif asked:
            raise ConnectionError(f"no answer for {deadline:g} s")
        else:
            asked = True
            await wire.send_command("PING")


async def look_around(routes: Routes) -> None:
    """The server may have gone for good, so its partition is looked for again."""
    try:
        await routes.refresh()
    except Unanswered:
        return
