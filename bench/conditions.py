"""W10: W1 with a condition on its trigger and, between its steps, a wait for an event that has come by then or not."""

from time import perf_counter

from bench.events import event
from bench.figure import Figure
from bench.rounds import rounds
from bench.scale import Setting
from bench.stack import Stack, running
from stepwell.client import Event


async def rate(stack: Stack, count: int) -> float:
    """Runs a second; what they wait for is sent in a second array right behind the first."""
    begun = perf_counter()
    await stack.client.send([event("bench.filtered", id=number) for number in range(count)])
    await stack.client.send([Event("bench.proceed", {"id": number}) for number in range(count)])
    await stack.completed(count)
    return count / (perf_counter() - begun)


async def measure(setting: Setting) -> list[Figure]:
    """How many a second."""
    count = setting.scale.runs
    async with running(setting) as stack:
        done = await rounds(stack, setting.scale.repeat, lambda: rate(stack, count))
    return [Figure(f"{count:,} runs x 2 steps and a wait", "runs/s", done.values, None, done.cpu.per(count), "run")]
