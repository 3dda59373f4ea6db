"""W7: many runs that each wait for an event of their own, and how long after it was sent they go on.

The events are sent in one batch. A run has gone on when the line behind its wait is reached: by the clock of the same
machine, in whole ms. The same while very many other runs wait for other events of the same name.
"""

import asyncio
from dataclasses import replace
from statistics import median

from bench.events import event
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.memory import ARRAY, PATIENCE, held, timers
from bench.scale import Setting
from bench.stack import Stack, running
from stepwell.client import Event
from stepwell.platform.clock import SystemClock

SLOWER = 1.1
"""Times as late, at most, with the other waits as without."""


async def wait(stack: Stack, numbers: range) -> None:
    """Starts runs that wait for an event each, and returns when all of them do. Raises `BenchFailed`."""
    before = await timers(stack)
    for first in range(numbers.start, numbers.stop, ARRAY):
        few = range(first, min(first + ARRAY, numbers.stop))
        await stack.client.send([event("bench.wait", id=number) for number in few])
    try:
        async with asyncio.timeout(PATIENCE * 2):
            while await timers(stack) < before + len(numbers) or await busy(stack):  # noqa: ASYNC110  # not published
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise BenchFailed(f"{await timers(stack) - before} of {len(numbers)} runs wait") from None


async def busy(stack: Stack) -> bool:
    """Whether a worker has a run, or a wait is yet to be listed."""
    partition = stack.partition
    return await held(stack) or bool(await partition.read("EXISTS", partition.keys.name("k_arming")))


async def lateness(stack: Stack, numbers: range) -> list[float]:
    """ms from the send to the line behind the wait of each run."""
    await wait(stack, numbers)
    before, partition = set(stack.endings.status), stack.partition
    sent = SystemClock().now()
    await stack.client.send([Event("bench.go", {"id": number}) for number in numbers])
    await stack.completed(len(numbers))
    runs = [run for run in stack.endings.status if run not in before]
    outputs = await asyncio.gather(*[partition.read("HGET", partition.keys.name("k_run", run), "o") for run in runs])
    return [int(awake) - sent for awake in outputs]


async def measure(setting: Setting) -> list[Figure]:
    """Both, in turns, on a platform each: a machine that is slower for a while is so for both."""
    scale = setting.scale
    async with running(setting) as stack, running(replace(setting, shared=None)) as crowd:
        await wait(crowd, range(-scale.others, 0))
        alone, crowded = list[list[float]](), list[list[float]]()
        for at in range(2 * scale.repeat):
            alone.append(await lateness(stack, span(at, scale.waiters)))
            crowded.append(await lateness(crowd, span(at, scale.waiters)))
    target = Target("≤", 500) if setting.fsync == "everysec" else None
    name = f"{scale.waiters:,} runs wait for an event each, resumed by p99"
    slower = median(p99(crowded)) / median(p99(alone))
    return [
        Figure(name, "ms", p99(alone), target),
        Figure(f"  … with {scale.others:,} other waits", "ms", p99(crowded), target),
        Figure("  … … of that without", "x", (slower,), target and Target("≤", SLOWER)),
    ]


def span(index: int, length: int) -> range:
    """The numbers of a round."""
    return range(index * length, (index + 1) * length)


def p99(rounds: list[list[float]]) -> tuple[float, ...]:
    """Of each round."""
    return tuple(percentile(late, 0.99) for late in rounds)
