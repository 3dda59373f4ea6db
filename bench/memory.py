"""What runs cost that sleep for a day: in the worker, which forgets them, and in Redis, which keeps them."""

import asyncio

from bench.cpu import resident
from bench.events import events
from bench.figure import BenchFailed, Figure, Target
from bench.scale import Setting
from bench.stack import Stack, running
from bench.throughput import rate, send_array

ARRAY = 1_000
WARM = 1_000
PATIENCE = 120.0
CALM = 1.0
"""Seconds after which buffers that were only needed on the way are gone."""


async def asleep(stack: Stack, count: int) -> None:
    """Sends so many sleepers, and returns when so many more are asleep. Raises `BenchFailed`."""
    before = await timers(stack)
    for first in range(0, count, ARRAY):
        await stack.client.send(events(min(ARRAY, count - first), "bench.day"))
    try:
        async with asyncio.timeout(PATIENCE):
            while await timers(stack) < before + count or await held(stack):  # noqa: ASYNC110  # it is not published
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise BenchFailed(f"{await timers(stack) - before} of {count} runs fell asleep") from None
    await asyncio.sleep(CALM)


async def timers(stack: Stack) -> int:
    """Runs that wait for a timer."""
    partition = stack.partition
    return int(await partition.read("ZCARD", partition.keys.name("k_timers")))


async def held(stack: Stack) -> bool:
    """Whether a worker has a run."""
    partition = stack.partition
    names = await partition.read("ZRANGE", partition.keys.name("k_sessions"), 0, -1)
    return any([await partition.read("SCARD", partition.keys.name("k_held", name.decode())) for name in names])


async def sizes(stack: Stack) -> tuple[float, float]:
    """Resident bytes of the worker's child, and bytes that Redis uses."""
    info = await stack.redis.info()
    return sum(map(resident, stack.worker_children)), float(info["used_memory"])


async def measure(setting: Setting) -> list[Figure]:
    """Growth from a worker that has executed and suspended some runs already."""
    count = setting.scale.residents
    async with running(setting) as stack:
        await rate(stack, WARM, send_array)
        await asleep(stack, min(WARM, count))
        worker, redis = await sizes(stack)
        before = stack.cpu
        await asleep(stack, count)
        cpu = (stack.cpu - before).per(count)
        grown, used = await sizes(stack)
    name = f"{count:,} runs sleep for a day"
    return [
        Figure(f"{name}: worker grows by", "MB", ((grown - worker) / 1e6,), Target("≤", 20), cpu, "run"),
        Figure(f"{name}: Redis, each", "bytes", ((used - redis) / count,), Target("≤", 1_536)),
    ]
