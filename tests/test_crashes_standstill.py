"""Workers that stand still, stopped from outside or held up by their own code, do no harm and are not killed."""

import asyncio
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.crash_crew import crew
from tests.crash_stack import soon

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("expiry", "standstill"), [(5, 11.0), pytest.param(15, 20.0, marks=pytest.mark.soak)], ids=["short", "usual"]
)
async def test_a_worker_that_stood_still_records_nothing_and_comes_back(
    short_path: Path, expiry: float, standstill: float
) -> None:
    async with crew(short_path, expiry) as platform:
        executors = platform.stack.worker.executors
        runs = await platform.start("hold", 3, seconds=1)
        # These the other worker has in hand when the first comes back, and wants to record what it did.
        contested = await platform.start("hold", 2, seconds=6)
        await platform.begun("slow", 5)
        await platform.begun("hold", 5)
        stopped = platform.stack.worker.hit(signal.SIGSTOP, executors=True)
        until = asyncio.get_running_loop().time() + standstill
        other = await platform.stack.add_worker()
        await platform.ended(runs)
        recorded = await platform.recorded(runs)
        others = other.executors()
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        platform.stack.worker.hit(signal.SIGCONT, executors=True)
        await soon(lambda: bool(executors()) and not executors() & stopped)

        assert {run.status for run in await platform.ended(contested)} == {"completed"}
        assert await platform.recorded(runs) == recorded
        for _, rows in await platform.recorded([*runs, *contested]):
            who = {row.key: int(row.payload) for row in rows}
            assert who.pop("before", *stopped) in stopped
            assert set(who.values()) <= others
        times = Counter((execution.run, execution.step) for execution in platform.ledger.executions())
        assert {(step, count) for (_, step), count in times.items()} == {
            ("before", 1),
            ("slow", 2),
            ("after", 1),
            ("hold", 2),
        }

        platform.stack.parts.remove(other)
        assert await other.stop() == 0
        [run] = await platform.ended(await platform.start("count"))
        assert run.output in executors()


@pytest.mark.parametrize("seconds", [5.0, pytest.param(8.0, marks=pytest.mark.soak)])
async def test_code_that_holds_the_interpreter_kills_nobody(short_path: Path, seconds: float) -> None:
    async with crew(short_path, expiry=3) as platform:
        beside = await platform.start("hold", 2, seconds=1)
        await platform.begun("slow", 2)
        executors = platform.stack.worker.executors()  # they are to stay
        gripping = await platform.start("grip", seconds=seconds)
        ended = await platform.ended([*beside, *gripping])
        assert {run.status for run in ended} == {"completed"}
        assert platform.stack.worker.executors() == executors
        assert {run.crashes for run, _ in await platform.recorded([*beside, *gripping])} == {0}
        times = Counter((execution.run, execution.step) for execution in platform.ledger.executions())
        assert set(times.values()) == {1}


async def test_code_that_holds_the_interpreter_beyond_the_limit_is_ended(short_path: Path) -> None:
    async with crew(short_path, 3, STEPWELL_HANG_LIMIT="2", STEPWELL_CRASH_LIMIT="0") as platform:
        executors = platform.stack.worker.executors()
        [run] = await platform.ended(await platform.start("grip", seconds=60))
        assert run.error is not None
        assert (run.status, run.error.type) == ("failed", "Crashed")
        [after] = await platform.ended(await platform.start("count"))
        assert after.output not in executors
