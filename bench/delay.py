"""How long after it was sent an event's run reaches the first line of its handler."""

import asyncio
from collections.abc import Sequence
from time import time_ns
from typing import Any, cast

from bench.stack import Stack
from stepwell.client import Event


async def delays(stack: Stack, events: Sequence[Event], seconds: float) -> list[float]:
    """Ms for each of the events, sent one by one and evenly over so many seconds; their runs say when they began."""
    sent = await send_evenly(stack, events, seconds)
    begun: list[int] = [_first(output) for output in await stack.outputs([id for _, id in sent])]
    return [(at - since) / 1e6 for at, (since, _) in zip(begun, sent, strict=True)]


def _first(output: Any) -> int:
    return cast("int", output[0] if isinstance(output, list) else output)


async def send_evenly(stack: Stack, events: Sequence[Event], seconds: float) -> list[tuple[int, str]]:
    """Sends events one by one over so many seconds; gives ns UTC before each was sent, and its id."""
    loop = asyncio.get_running_loop()
    first, sending = loop.time(), list[asyncio.Task[tuple[int, str]]]()
    for index, event in enumerate(events):
        await asyncio.sleep(first + index * seconds / len(events) - loop.time())
        sending.append(asyncio.create_task(_send(stack, event)))
    return await asyncio.gather(*sending)


async def _send(stack: Stack, event: Event) -> tuple[int, str]:
    since = time_ns()
    [id] = await stack.client.send(event)
    return since, id
