"""W3: one run of many steps, one after the other."""

from functools import partial
from time import perf_counter

from bench.events import event
from bench.figure import Figure, Target
from bench.rounds import Rounds, rounds
from bench.scale import Setting
from bench.stack import Stack, running

RUNS = 5
"""Runs in a round."""
FLAT = 1.2
"""A step of the longest run may cost so many times what one of the shortest costs."""


async def pace(stack: Stack, steps: int) -> float:
    """ms a step, from sending the event to having the result."""
    begun = perf_counter()
    for _ in range(RUNS):
        await stack.run(event("bench.long", steps=steps))
    return (perf_counter() - begun) * 1e3 / (RUNS * steps)


async def measure(setting: Setting) -> list[Figure]:
    """Each length, and how the longest compares with the shortest."""
    lengths = setting.scale.lengths
    target = Target("≤", 0.3 if setting.fsync == "everysec" else 0.5)
    async with running(setting, deaf=True) as stack:
        done = {steps: await rounds(stack, setting.scale.repeat, partial(pace, stack, steps)) for steps in lengths}
    figures = [figure(steps, took, target) for steps, took in done.items()]
    shortest, longest = done[lengths[0]], done[lengths[-1]]
    ratios = tuple(b / a for a, b in zip(shortest.values, longest.values, strict=True))
    flat = Target("≤", FLAT) if setting.fsync == "everysec" else None
    return [*figures, Figure(f"a step among {lengths[-1]} / a step among {lengths[0]}", "x", ratios, flat)]


def figure(steps: int, done: Rounds, target: Target) -> Figure:
    """One length."""
    return Figure(f"a run of {steps} steps, each", "ms", done.values, target, done.cpu.per(RUNS * steps), "step")
