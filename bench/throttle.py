"""How evenly a throttle spreads starts: runs that begin in each second, of more than may."""

from collections import Counter

from bench.events import event
from bench.figure import Figure, Target
from bench.scale import Setting
from bench.stack import CONTROLLED, running

RATE = 100
"""Starts a second, as bench/controlled.py says."""


async def measure(setting: Setting) -> list[Figure]:
    """Starts in each second after the first, and between two of them."""
    seconds = setting.scale.crowds.paced
    async with running(setting, target=CONTROLLED) as stack:
        before = stack.cpu
        sent = await stack.client.send([event("bench.paced") for _ in range(seconds * RATE + 1)])
        begun = sorted(await stack.outputs(sent))
        cpu = (stack.cpu - before).per(len(sent))
    counts = Counter(int((at - begun[0]) / 1e9) for at in begun)
    # A span of a second in which both the first and the last start just count has one more than the rate.
    values = tuple(float(counts[second]) for second in range(seconds))
    took = (begun[-1] - begun[0]) / 1e9
    return [
        Figure(
            f"starts in each of {seconds} seconds, of {RATE}",
            "runs",
            values,
            Target("≤", RATE + 1, every=True),
            cpu,
            "run",
        ),
        Figure("  … and in a second on the whole", "runs/s", (seconds * RATE / took,), Target("≥", 0.99 * RATE)),
    ]
