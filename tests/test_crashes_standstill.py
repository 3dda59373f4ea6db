"""Workers that stand still, stopped from outside or held up by their own code: no harm is done, and nobody is killed."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest
from tests.crash_crew import Crew, crew
from tests.crash_stack import PATIENCE

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("expiry", "standstill"), [(3, 8.0), pytest.param(15, 20.0, marks=pytest.mark.soak)], ids=["short", "usual"]
)
async def test_a_worker_that_stood_still_records_nothing_and_comes_back(
    short_path: Path, expiry: float, standstill: float
) -> None:
    async with crew(short_path, expiry) as platform:
        runs = await platform.start("hold", 3, seconds=1)
        await platform.executions("slow", lambda begun: len(begun) == 3)
        await platform.executions("hold", lambda begun: len(begun) == 3)
        stopped = platform.stack.worker.hit(signal.SIGSTOP, executors=True)
        until = asyncio.get_running_loop().time() + standstill
        other = await platform.stack.add_worker()
        await platform.ended(runs)
        recorded = await platform.recorded(runs)
        others = other.executors()
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        platform.stack.worker.hit(signal.SIGCONT, executors=True)
        await _new_executors(platform, stopped)

        assert await platform.recorded(runs) == recorded
        for _, rows in recorded:
            who = {row.key: int(row.payload) for row in rows}
            assert who.pop("before", *stopped) in stopped
            assert set(who.values()) <= others
        times = Counter((execution.run, execution.step) for execution in platform.ledger.executions())
        bodies = {body: {times[run, body] for run in runs} for body in ("before", "slow", "after", "hold")}
        assert bodies == {"before": {0, 1}, "slow": {0, 2}, "after": {0, 1}, "hold": {0, 2}}

        platform.stack.parts.remove(other)
        assert await other.stop() == 0
        [run] = await platform.ended(await platform.start("count"))
        assert run.output in platform.stack.worker.executors()


async def _new_executors(platform: Crew, old: frozenset[int]) -> None:
    """Returns when the worker has replaced those it had."""
    async with asyncio.timeout(PATIENCE):
        while not platform.stack.worker.executors() or platform.stack.worker.executors() & old:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("seconds", [5.0, pytest.param(8.0, marks=pytest.mark.soak)])
async def test_code_that_holds_the_interpreter_kills_nobody(short_path: Path, seconds: float) -> None:
    async with crew(short_path, expiry=3) as platform:
        beside = await platform.start("hold", 2, seconds=1)
        await platform.executions("slow", lambda begun: len(begun) == 2)
        executors = platform.stack.worker.executors()
        gripping = await platform.start("grip", seconds=seconds)
        ended = await platform.ended([*beside, *gripping])
        assert {run.status for run in ended} == {"completed"}
        assert platform.stack.worker.executors() == executors
        assert {run.crashes for run, _ in await platform.recorded([*beside, *gripping])} == {0}
        times = Counter((execution.run, execution.step) for execution in platform.ledger.executions())
        assert set(times.values()) == {1}
