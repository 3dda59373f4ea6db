"""Tenants with a run a second each, alone and beside one who has very many queued: how long until theirs begin.

The runs of the noisy one take up to a second, so that all the places of the worker are taken by it, while the
machine has time left for the others. What it has left in the end is not waited for.
"""

from bench.delay import delays
from bench.events import event, events
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import CONTROLLED, Stack, running

TAKES = 1_000
"""Ms at most, of a run of the noisy tenant."""


async def quiet(setting: Setting, stack: Stack) -> list[float]:
    """Ms until the runs of the quiet tenants begin."""
    crowds = setting.scale.crowds
    count = int(crowds.quiet * crowds.seconds)
    sent = [event("bench.tenant", key=f"quiet-{number % crowds.quiet}", ms=0) for number in range(count)]
    return await delays(stack, sent, crowds.seconds)


async def measure(setting: Setting) -> list[Figure]:
    """p99 without and with the noisy one, and by how much they differ."""
    crowds = setting.scale.crowds
    async with running(setting, target=CONTROLLED) as stack:
        await quiet(setting, stack)
        alone = await quiet(setting, stack)
        sent = await stack.send(events(crowds.noisy, "bench.tenant", key="noisy", ms=TAKES))
        beside = await quiet(setting, stack)
        if setting.shared:
            await stack.outputs(sent)
        elif all(id in stack.endings.run_of for id in sent):
            raise BenchFailed("the noisy tenant had nothing left")
    before, after = percentile(alone, 0.99), percentile(beside, 0.99)
    target = Target("≤", 3) if setting.fsync == "everysec" else None
    return [
        Figure(
            f"{crowds.quiet} tenants with a run a second, from send to first line, p50", "ms", (percentile(alone, 0.5),)
        ),
        Figure("  … p99", "ms", (before,)),
        Figure(f"  … beside one with {crowds.noisy:,} runs queued, p50", "ms", (percentile(beside, 0.5),)),
        Figure("  … … p99", "ms", (after,)),
        Figure("  … … … of that without", "x", (after / before,), target),
    ]
