"""What controls cost where nothing has to wait: W1, of functions with none, with one and with three of them."""

import secrets
from time import perf_counter

from bench.events import event
from bench.figure import Figure
from bench.rounds import rounds
from bench.scale import Setting
from bench.stack import CONTROLLED, Stack, running

WAYS = {
    "bench.three": "no control",
    "bench.three-1": "Concurrency with a key",
    "bench.three-3": "Concurrency, Throttle and RateLimit with a key each",
}
KEYS = 100


async def rate(stack: Stack, count: int, name: str) -> float:
    """Runs a second, of a hundred keys nobody had before."""
    tag, begun = secrets.token_hex(4), perf_counter()
    await stack.client.send([event(name, key=f"{tag}-{number % KEYS}") for number in range(count)])
    await stack.completed(count)
    return count / (perf_counter() - begun)


async def measure(setting: Setting) -> list[Figure]:
    """Each of them."""
    async with running(setting, target=CONTROLLED) as stack:
        return [await figure(setting, stack, name) for name in WAYS]


async def figure(setting: Setting, stack: Stack, name: str) -> Figure:
    """One of them."""
    count = setting.scale.runs
    done = await rounds(stack, setting.scale.repeat, lambda: rate(stack, count, name))
    return Figure(f"{count:,} runs x 3 steps, {WAYS[name]}", "runs/s", done.values, None, done.cpu.per(count), "run")
