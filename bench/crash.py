"""W6: the worker is killed in the middle of its work. Bodies write down that they begin, where no kill undoes it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bench.endings import completed
from bench.events import events
from bench.figure import BenchFailed, Figure, Target
from bench.scale import Setting
from bench.stack import READY, Stack, running

STEPS = 5
ROUNDS = 3
"""At most, of killing the child. Its parent as well is killed once: that takes as long as a session lives."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one kill.

    Args:
        seconds: from the kill until all was done.
        begun: bodies in all, and with those that began again.
        in_flight: bodies that had begun and whose outcome was not recorded when the worker died.
        extra: bodies that began more often than once.
        lost: runs that were not completed.
    """

    seconds: float
    in_flight: int
    extra: int
    lost: int


def begun(ledger: Path) -> int:
    """Bodies that have begun."""
    return ledger.read_bytes().count(b"\n")


async def recorded(stack: Stack, runs: list[str]) -> int:
    """Steps of the runs that have an outcome."""
    partition = stack.partition
    return sum([await partition.read("HLEN", partition.keys.name("k_steps", run)) for run in runs])


async def halfway(ledger: Path, steps: int) -> None:
    """Returns when half of the bodies have begun. Raises `BenchFailed` when that takes too long."""
    try:
        async with asyncio.timeout(READY):
            while begun(ledger) < steps / 2:  # noqa: ASYNC110  # a file tells nobody that it grows
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise BenchFailed("the runs that were to be cut short did not begin") from None


async def kill(setting: Setting, *, parent: bool) -> Outcome:
    """Lets half of the work be done, kills, and waits until all of it is done."""
    count = setting.scale.crashed
    async with running(setting) as stack:
        ledger = stack.redis.folder / "ledger"
        ledger.touch()
        before = len(stack.endings.status)
        ids = await stack.client.send(events(count, "bench.slow", ledger=str(ledger)))
        await halfway(ledger, count * STEPS)
        struck = perf_counter()
        await stack.kill_worker(parent=parent)
        if parent:
            await stack.start_worker()
        # A worker takes longer to start than these reads.
        executed = begun(ledger)
        runs = [run for id in ids for run in (await stack.client.events.get(id)).runs]
        in_flight = executed - await recorded(stack, runs)
        await stack.endings.reach(before + count)
        seconds = perf_counter() - struck
        done = completed(stack.endings.status[run] for run in runs if run in stack.endings.status)
        return Outcome(seconds, in_flight, begun(ledger) - count * STEPS, count - done)


async def measure(setting: Setting) -> list[Figure]:
    """The child alone, then parent and child."""
    everysec = setting.fsync == "everysec"
    children = [await kill(setting, parent=False) for _ in range(min(setting.scale.repeat, ROUNDS))]
    both = [await kill(setting, parent=True)]
    return [
        *figures(setting, "child", children, Target("≤", 3, every=True) if everysec else None),
        *figures(setting, "parent and child", both, Target("≤", 18, every=True) if everysec else None),
    ]


def figures(setting: Setting, who: str, outcomes: list[Outcome], target: Target | None) -> list[Figure]:
    """What one kind of kill led to."""
    nothing = Target("≤", 0, every=True)
    what = f"{setting.scale.crashed} runs x {STEPS} steps x 50 ms, kill -9 of the worker's {who}"
    beyond = tuple(float(outcome.extra - outcome.in_flight) for outcome in outcomes)
    return [
        Figure(f"{what}: all done after", "s", tuple(outcome.seconds for outcome in outcomes), target),
        Figure("  bodies executed again", "bodies", tuple(float(outcome.extra) for outcome in outcomes)),
        Figure("  … beyond those in flight when it died", "bodies", beyond, nothing),
        Figure("  runs lost", "runs", tuple(float(outcome.lost) for outcome in outcomes), nothing),
    ]
