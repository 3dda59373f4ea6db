"""W2: one run of three steps at a time, from sending its event to having its result through the client."""

from time import perf_counter

from bench.cpu import Cpu
from bench.events import event
from bench.figure import Figure, Target, percentile
from bench.scale import Setting
from bench.stack import Stack, running

WARM = 20


async def latency(stack: Stack) -> float:
    """ms for one run."""
    begun = perf_counter()
    run = await stack.run(event("bench.three"))
    took = (perf_counter() - begun) * 1e3
    assert run.output == 3
    return took


async def measure(setting: Setting) -> list[Figure]:
    """Percentiles of each round."""
    scale = setting.scale
    async with running(setting, deaf=True) as stack:
        for _ in range(WARM):
            await latency(stack)
        before = stack.cpu
        rounds = [[await latency(stack) for _ in range(scale.singles)] for _ in range(scale.repeat)]
        cpu = (stack.cpu - before).per(scale.repeat * scale.singles)

    def figure(share: float, target: Target | None = None, cpu: Cpu | None = None) -> Figure:
        values = tuple(percentile(taken, share) for taken in rounds)
        return Figure(f"one 3-step run at a time, p{share * 100:.0f}", "ms", values, target, cpu, "run")

    middle = Target("≤", 2.5) if setting.fsync == "everysec" else None
    return [figure(0.5, middle, cpu), figure(0.95), figure(0.99)]
