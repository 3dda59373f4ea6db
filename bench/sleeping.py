"""W5: many runs that sleep for the same time, and how late they wake.

When a run was due is what its step row says: the time at which Redis recorded the wait, plus what was asked for. When
it was awake is what the line behind the sleep read from the clock, after the handler was called again and had got
there: of the same machine, in whole ms. The CPU time includes reading both.
"""

from bench.cpu import Cpu
from bench.events import events
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import Stack, running
from stepwell.platform.records import StepRow

ROUNDS = 2
"""At most: each takes longer than it sleeps."""


async def lateness(stack: Stack, count: int, ms: int) -> list[float]:
    """ms by which each run was late."""
    before = set(stack.endings.status)
    await stack.client.send(events(count, "bench.nap", ms=ms))
    await stack.completed(count)
    late = [await late_by(stack, run, ms) for run in stack.endings.status if run not in before]
    if min(late) < 0:
        raise BenchFailed(f"a run woke {-min(late):g} ms early")
    return late


async def late_by(stack: Stack, run: str, ms: int) -> float:
    """ms by which a run was late."""
    partition = stack.partition
    row = await partition.read("HGET", partition.keys.name("k_steps", run), "nap")
    awake = await partition.read("HGET", partition.keys.name("k_run", run), "o")
    return int(awake) - (StepRow.parse(b"nap", row).started + ms)


async def measure(setting: Setting) -> list[Figure]:
    """Percentiles of each round."""
    scale = setting.scale
    async with running(setting) as stack:
        await lateness(stack, scale.sleepers, 50)
        before, rounds = stack.cpu, list[list[float]]()
        for _ in range(min(scale.repeat, ROUNDS)):
            rounds.append(await lateness(stack, scale.sleepers, scale.nap))
        cpu = (stack.cpu - before).per(len(rounds) * scale.sleepers)

    def figure(share: float, target: Target | None = None, cpu: Cpu | None = None) -> Figure:
        values = tuple(percentile(late, share) for late in rounds)
        name = f"{scale.sleepers:,} runs sleep {scale.nap / 1000:g} s, late by p{share * 100:.0f}"
        return Figure(name, "ms", values, target, cpu, "run")

    return [figure(0.5, None, cpu), figure(0.99, Target("≤", 60) if setting.fsync == "everysec" else None)]
