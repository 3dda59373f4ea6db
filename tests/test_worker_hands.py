"""What a worker has in its hands: runs being prepared, runs leased twice, and threads that outlive their run."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from stepwell.functions import App, Context
from stepwell.functions.replay import Threads
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.executor import strays
from stepwell.platform.executor.board import Board
from stepwell.platform.executor.leasing import Leasing, Room
from stepwell.platform.executor.recorded import Recorded
from stepwell.platform.records import Status, StepRow
from stepwell.platform.store.keys import session_channel
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness


async def test_a_run_whose_state_is_being_read_is_not_taken_for_a_stray(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, begun, reading = App("shop"), list[str](), asyncio.Event()
    monkeypatch.setattr(strays, "SETTLED", 0.0)
    read = Recorded.read

    async def slowly(self: Recorded, partition: Partition, run: str) -> tuple[StepRow, ...]:
        await reading.wait()
        return await read(self, partition, run)

    monkeypatch.setattr(Recorded, "read", slowly)

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def large() -> str:
            return "x" * 70_000

        async def charge() -> str:
            begun.append("charge")
            return "charged"

        await ctx.step.run("large", large)
        await ctx.step.sleep("nap", "1h")
        return await ctx.step.run("charge", charge)

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.advance(3_600_000)
        await platform.until(run, Status.RUNNING)
        for _ in range(3):
            await look(platform, store)
        reading.set()
        assert await platform.output(run) == "charged"
        assert begun == ["charge"]


async def test_a_run_whose_lease_was_never_heard_of_is_released_after_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        return "done"

    async with harness(store, app, worker=False) as platform:
        run = await platform.start("go")
        monkeypatch.setattr(Leasing, "run", idle)
        worker = await platform.start_worker()
        leases = Leases(platform.partitions[0], 15_000, 3)
        await leases.lease(worker.session.id, f"{worker.session.id}:lost", 1, ["shop/work"])
        await look(platform, store)
        await look(platform, store)
        assert (await platform.run(run)).status is Status.RUNNING, "its answer may be on its way"
        monkeypatch.setattr(strays, "SETTLED", 0.0)
        await look(platform, store)
        assert (await platform.run(run)).status is Status.QUEUED


async def test_news_of_a_run_whose_state_is_being_read_is_heard_when_it_is_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, reading = App("shop"), asyncio.Event()
    read = Recorded.read

    async def slowly(self: Recorded, partition: Partition, run: str) -> tuple[StepRow, ...]:
        rows = await read(self, partition, run)
        await reading.wait()
        return rows

    monkeypatch.setattr(Recorded, "read", slowly)

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def large() -> str:
            return "x" * 70_000

        await ctx.step.run("large", large)
        await asyncio.gather(ctx.step.sleep("first", "1h"), ctx.step.sleep("second", "2h"))
        return "both"

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.advance(3_600_000)
        await platform.until(run, Status.RUNNING)
        await platform.advance(3_600_000)
        await look(platform, store)
        reading.set()
        assert await platform.output(run) == "both"


async def test_a_run_leased_again_before_its_suspension_is_answered_stays_at_work(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app, late, going = App("shop"), asyncio.Event(), asyncio.Event()
    suspend = Owner.suspend

    async def answered_late(self: Owner, *given: Any) -> None:
        await suspend(self, *given)
        await late.wait()

    monkeypatch.setattr(Owner, "suspend", answered_late)

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def body() -> str:
            await going.wait()
            return "done"

        await ctx.step.sleep("nap", "1h")
        return await ctx.step.run("body", body)

    async with harness(store, app, worker=False) as platform:
        board = Board.create(tmp_path / "board", 2)
        worker = await platform.start_worker(board=board)
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.advance(3_600_000)
        await platform.until(run, Status.RUNNING)
        await platform.eventually(lambda: _said(board.read().count(run) == 2))
        late.set()
        await platform.eventually(lambda: _said(board.read() == [run]))
        assert list(worker.works) == [run]
        going.set()
        assert await platform.output(run) == "done"
        await platform.eventually(lambda: _said(board.read() == []))


async def idle(_: Leasing) -> None:
    """Leases nothing."""


async def look(platform: Harness, store: Store) -> None:
    """Has the worker ask for news, and lets it hear them."""
    assert platform.worker
    await store.call(0, "PUBLISH", session_channel(platform.worker.session.id), "1")
    await asyncio.sleep(0.05)


async def _said(holds: bool) -> bool:
    return holds


async def test_a_thread_that_ends_after_its_run_makes_room() -> None:
    room = Room(8)
    threads = Threads(1, room.stir)
    ended = threading.Event()
    threads.handle(lambda: ended.wait(20) and None)
    taking = asyncio.create_task(room.take(lambda: threads.free))
    await asyncio.sleep(0)
    assert not taking.done()
    ended.set()
    threads.handled()
    assert await asyncio.wait_for(taking, 5) == 1
    threads.close()
