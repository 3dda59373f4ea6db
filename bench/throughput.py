"""W1: many runs of three steps, from the first send to the end of the last run; and the same against itself."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from bench.cpu import Cpu
from bench.events import event, events
from bench.figure import Figure, Target
from bench.rounds import Rounds, rounds
from bench.scale import Setting
from bench.stack import Stack, running

Send = Callable[[Stack, int], Awaitable[object]]


async def send_array(stack: Stack, count: int) -> None:
    """All events in one call."""
    await stack.client.send(events(count, "bench.three"))


async def send_singly(stack: Stack, count: int) -> None:
    """Each event in a call of its own, all at once."""
    await asyncio.gather(*(stack.client.send(event("bench.three")) for _ in range(count)))


async def rate(stack: Stack, count: int, send: Send) -> float:
    """Runs a second."""
    begun = perf_counter()
    await send(stack, count)
    await stack.completed(count)
    return count / (perf_counter() - begun)


async def measured(setting: Setting, send: Send) -> Rounds:
    """Rounds on a stack of their own."""
    count = setting.scale.runs
    async with running(setting) as stack:
        return await rounds(stack, setting.scale.repeat, lambda: rate(stack, count, send))


async def measure(setting: Setting) -> list[Figure]:
    """Both ways of sending."""
    return [
        await figure(setting, "events in one array", send_array, 4_000),
        await figure(setting, "each event in a Client.send of its own", send_singly, 1_500),
    ]


async def figure(setting: Setting, how: str, send: Send, least: float) -> Figure:
    """One way of sending."""
    done = await measured(setting, send)
    target = Target("≥", least) if setting.fsync == "everysec" else None
    name = f"{setting.scale.runs:,} runs x 3 steps, {how}"
    return Figure(name, "runs/s", done.values, target, done.cpu.per(setting.scale.runs), "run")


async def measure_twice(setting: Setting) -> list[Figure]:
    """A/A: two stacks that differ in nothing. What they differ by is what a comparison cannot tell from noise."""
    first, second = await measured(setting, send_array), await measured(setting, send_array)
    wall = tuple(b / a for a, b in zip(first.values, second.values, strict=True))
    return [
        Figure("A/A: runs/s of W1 in arrays, second stack / first", "x", wall),
        ratio("server", first.cpu, second.cpu),
        ratio("worker", first.cpu, second.cpu),
        ratio("redis", first.cpu, second.cpu),
    ]


def ratio(part: str, first: Cpu, second: Cpu) -> Figure:
    """How the CPU time of a part differs between the two."""
    used: float = getattr(first, part)
    value = getattr(second, part) / used if used else 1.0
    return Figure(f"A/A: CPU time of the {part}, second stack / first", "x", (value,))
