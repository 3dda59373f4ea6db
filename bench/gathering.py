"""How late runs begin that gathered events: after a second of quiet, or a second in which a batch did not get full.

The second begins when the event was received, in whole ms, and ends with the first line of the handler.
"""

from bench.events import event
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import CONTROLLED, Stack, running
from stepwell.platform.ids import time_of

SECOND = 1_000
ROUNDS = 3
"""At most."""


async def lateness(stack: Stack, name: str, keys: int) -> list[float]:
    """Ms by which the run of each key was late."""
    sent = await stack.client.send([event(name, key=key) for key in range(keys)])
    late = [begun / 1e6 - time_of(id) - SECOND for begun, id in zip(await stack.outputs(sent), sent, strict=True)]
    if min(late) < 0:
        raise BenchFailed(f"a run of {name} has begun {-min(late):g} ms early")
    return late


async def measure(setting: Setting) -> list[Figure]:
    """Of both."""
    async with running(setting, target=CONTROLLED) as stack:
        return [
            await figure(setting, stack, "bench.settled", "debounced runs"),
            await figure(setting, stack, "bench.batched", "batches that were not full"),
        ]


async def figure(setting: Setting, stack: Stack, name: str, what: str) -> Figure:
    """p99 of each round."""
    keys, times = setting.scale.crowds.gathered, min(setting.scale.repeat, ROUNDS)
    await lateness(stack, name, keys)
    before = stack.cpu
    rounds = [percentile(await lateness(stack, name, keys), 0.99) for _ in range(times)]
    cpu = (stack.cpu - before).per(times * keys)
    target = Target("≤", 50) if setting.fsync == "everysec" else None
    return Figure(f"{keys:,} {what}, late by p99", "ms", tuple(rounds), target, cpu, "run")
