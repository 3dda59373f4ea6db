"""W4: one run whose steps are all beside each other."""

from time import perf_counter

from bench.events import event
from bench.figure import Figure, Target
from bench.rounds import rounds
from bench.scale import Setting
from bench.stack import Stack, running

RUNS = 5
"""Runs in a round, one at a time."""


async def took(stack: Stack, branches: int) -> float:
    """ms a run, from sending the event to having the result."""
    begun = perf_counter()
    for _ in range(RUNS):
        run = await stack.run(event("bench.wide", branches=branches))
        assert run.output == sum(range(branches))
    return (perf_counter() - begun) * 1e3 / RUNS


async def measure(setting: Setting) -> list[Figure]:
    """How long it takes."""
    branches = setting.scale.branches
    async with running(setting, deaf=True) as stack:
        done = await rounds(stack, setting.scale.repeat, lambda: took(stack, branches))
    target = Target("≤", 12) if setting.fsync == "everysec" else None
    cpu = done.cpu.per(RUNS * branches)
    return [Figure(f"{branches} parallel steps and their join", "ms", done.values, target, cpu, "step")]
