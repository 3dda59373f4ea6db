"""Very many runs queued behind one key of which one may execute at a time, and runs of other keys meanwhile.

They are compared with the same runs before there was a backlog. It is left behind: there is no waiting for its end.
"""

from bench.delay import delays
from bench.events import event, events
from bench.figure import BenchFailed, Figure, percentile
from bench.scale import Setting
from bench.stack import CONTROLLED, Stack, running

KEYS = 50
BUSY = 20
"""Ms for which each run of the backlog has the slot."""


async def flow(setting: Setting, stack: Stack) -> list[float]:
    """Ms until each of the other runs has begun."""
    crowds = setting.scale.crowds
    sent = [event("bench.turn", key=f"other-{number % KEYS}", ms=0) for number in range(crowds.flowing)]
    return await delays(stack, sent, crowds.seconds)


async def measure(setting: Setting) -> list[Figure]:
    """Without, and with."""
    crowds = setting.scale.crowds
    async with running(setting, target=CONTROLLED) as stack:
        await flow(setting, stack)
        alone = await flow(setting, stack)
        sent = await stack.send(events(crowds.queued, "bench.turn", key="one", ms=BUSY))
        before = stack.cpu
        crowded = await flow(setting, stack)
        cpu = (stack.cpu - before).per(crowds.flowing)
        if setting.shared:
            await stack.outputs(sent)
        elif len(stack.endings.run_of.keys() & set(sent)) > crowds.queued / 2:
            raise BenchFailed("there was no backlog")
    return [
        Figure(
            f"{crowds.flowing:,} runs in {crowds.seconds:g} s, from send to first line, p50",
            "ms",
            (percentile(alone, 0.5),),
        ),
        Figure("  … p99", "ms", (percentile(alone, 0.99),)),
        Figure(
            f"  … behind another key {crowds.queued:,} runs are queued, p50",
            "ms",
            (percentile(crowded, 0.5),),
            None,
            cpu,
            "run",
        ),
        Figure("  … … p99", "ms", (percentile(crowded, 0.99),)),
    ]
