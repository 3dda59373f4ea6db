"""W9: many schedules that are due at the same moment, and how long after it the last of their runs has started.

Each has an expression of its own, of a minute in January. They are made due by writing that moment where Redis holds
their next times: the scheduler of the server takes it from there as it does any other. When a run has started is what
its header says: the time of Redis when a worker leased it. The CPU time includes reading that.
"""

import asyncio
from pathlib import Path
from time import monotonic

from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import Stack, running
from stepwell.platform.cron.planning import time_at
from stepwell.platform.ids import time_of
from stepwell.platform.reading.headers import header_of

CROWD = Path(__file__).with_name("crowd.py")
ROUNDS = 3
AHEAD = 2_000
"""Ms that they are made due ahead of time."""
PATIENCE = 90.0
"""Seconds the schedules have to be registered."""
QUIET = 0.7
"""Ms for each schedule between their registration and the first round: nobody registers what is due in that second."""


async def planned(stack: Stack, count: int) -> None:
    """Returns when so many schedules are known. Raises `BenchFailed`."""
    known, patience = stack.partition.keys.name("k_crons"), monotonic() + PATIENCE
    while await stack.partition.read("ZCARD", known) < count:
        if monotonic() > patience:
            raise BenchFailed(f"{count:,} schedules are not registered within {PATIENCE:g} s")
        await asyncio.sleep(0.1)


async def make_due(stack: Stack, moment: int) -> None:
    """Writes down that every schedule is due at a moment, in ms UTC."""
    partition, name = stack.partition, stack.partition.keys.name
    flat: list[bytes] = await partition.read("HGETALL", name("k_schedules"))
    rows = list(zip(flat[::2], flat[1::2], strict=True))
    for first in range(0, len(rows), 500):
        part = rows[first : first + 500]
        states = [(id, b"%d %s" % (moment, text.partition(b" ")[2])) for id, text in part]
        await partition.read("HSET", name("k_schedules"), *[word for row in states for word in row])
        await partition.read("ZADD", name("k_crons"), *[word for id, _ in part for word in (moment, id)])


async def lateness(stack: Stack, count: int) -> list[float]:
    """Seconds between the moment at which all are due and the start of each run."""
    moment, before = await time_at(stack.partition) + AHEAD, len(stack.endings.status)
    await make_due(stack, moment)
    await stack.endings.reach(before + count)
    runs = [run for run in stack.endings.status if time_of(run) == moment]
    if len(runs) != count:
        raise BenchFailed(f"{len(runs):,} of {count:,} runs have ended")
    return [await late_by(stack, run, moment) for run in runs]


async def late_by(stack: Stack, run: str, moment: int) -> float:
    """Seconds after a moment at which a run was started."""
    header = await header_of(stack.partition, run)
    if header is None or header.started < moment:
        raise BenchFailed(f"run {run} has started early, or is lost")
    return (header.started - moment) / 1000


async def measure(setting: Setting) -> list[Figure]:
    """The last, and the median, of each round."""
    count, rounds = setting.scale.schedules, list[list[float]]()
    async with running(setting) as stack:
        await stack.stop_worker()
        await stack.start_worker(CROWD, BENCH_SCHEDULES=str(count))
        await planned(stack, count)
        await asyncio.sleep(QUIET * count / 1000)
        before = stack.cpu
        for _ in range(min(setting.scale.repeat, ROUNDS)):
            rounds.append(await lateness(stack, count))
        cpu = (stack.cpu - before).per(len(rounds) * count)
    name = f"{count:,} schedules due at once, until"
    return [
        Figure(f"{name} half of their runs have started", "s", tuple(percentile(late, 0.5) for late in rounds)),
        Figure(f"{name} the last has", "s", tuple(map(max, rounds)), Target("≤", 5, every=True), cpu, "run"),
    ]
