"""How long a slot that was freed stays empty: from the last line of a run to the first of the next, one at a time."""

from itertools import pairwise

from bench.events import event
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import CONTROLLED, Stack, running

ROUNDS = 3
"""At most."""
UNTIL_QUEUED = 500
"""Ms that the first run takes, so that taking in the others is over when the slot is handed over."""


async def gaps(stack: Stack, count: int) -> list[float]:
    """Ms between the runs."""
    first = event("bench.turn", key="handed", ms=UNTIL_QUEUED)
    sent = await stack.client.send([first, *[event("bench.turn", key="handed", ms=0) for _ in range(count)]])
    turns = sorted(await stack.outputs(sent))
    found = [(after - before) / 1e6 for (_, before), (after, _) in pairwise(turns)]
    if min(found) < 0:
        raise BenchFailed(f"two runs executed at once for {-min(found):g} ms")
    return found


async def measure(setting: Setting) -> list[Figure]:
    """Percentiles of each round."""
    count, times = setting.scale.crowds.handed, min(setting.scale.repeat, ROUNDS)
    async with running(setting, target=CONTROLLED) as stack:
        await gaps(stack, count)
        before = stack.cpu
        rounds = [await gaps(stack, count) for _ in range(times)]
        cpu = (stack.cpu - before).per(times * count)
    target = Target("≤", 5) if setting.fsync == "everysec" else None
    name = f"{count:,} runs one at a time, from the last line of one to the first of the next"
    return [
        Figure(f"{name}, p50", "ms", tuple(percentile(found, 0.5) for found in rounds), target, cpu, "run"),
        Figure("  … p99", "ms", tuple(percentile(found, 0.99) for found in rounds), target),
    ]
