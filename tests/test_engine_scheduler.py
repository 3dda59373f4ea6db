"""The scheduler: it does all that is due, sleeps until more is, wakes when asked to, and outlives outages."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from stepwell.platform.engine.ticks import IDLE, Ticked, Ticks
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.outbox import Outbox
from stepwell.platform.scheduler import Scheduler, Ticker
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import Remembered
from stepwell.platform.waits.errands import AllErrands
from tests.engine_bench import Bench, store_over


class NoErrands(AllErrands):
    """What a scheduler is given that has only to tick."""

    def __init__(self) -> None:
        super().__init__(())

    def hurry(self, source: int) -> Callable[[Any], None]:
        return lambda _: None


@pytest.fixture
async def bench() -> AsyncGenerator[Bench]:
    """Two partitions in memory."""
    async with store_over(Remembered()) as store:
        bench = Bench(store)
        await bench.clear()
        yield bench


async def test_a_tick_says_how_long_there_is_nothing_to_do(bench: Bench) -> None:
    assert (await bench.ticks.tick()).wait == IDLE
    lease = await bench.started()
    await bench.sleep(lease, "nap", 300)
    assert (await bench.ticks.tick()).wait == 300
    await bench.sleep(lease, "long", 9_000)
    bench.clock.advance(300)
    assert await bench.ticks.tick() == Ticked(fired=1, reaped=0, wait=IDLE)


async def test_a_ticker_goes_on_until_nothing_is_due(bench: Bench) -> None:
    for _ in range(3 * 64):
        await bench.send(due=bench.clock.now() + 1_000)
    bench.clock.advance(2_000)
    await Ticker(bench.ticks).tick()
    assert not await bench.exists("k_timers")


async def test_one_tick_of_the_scheduler_serves_every_partition(bench: Bench) -> None:
    there = await bench.send(target="1", due=bench.clock.now() + 1_000)
    here = await bench.send(due=bench.clock.now() + 1_000)
    scheduler = Scheduler((bench.partition, bench.other.partition), bench.clock, Settings(), NoErrands())
    await scheduler.tick()
    bench.clock.advance(2_000)
    await scheduler.tick()
    assert (await bench.lease("w"), await bench.other.lease("w")) == ([here], [there])


async def test_an_outbox_that_cannot_be_delivered_stops_no_timer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the master of one partition of many is down."""
    run, hanging = await bench.send(due=bench.clock.now() + 1_000), asyncio.Event()

    async def hangs(_: Outbox) -> int:
        await hanging.wait()
        return 0

    monkeypatch.setattr(Outbox, "deliver", hangs)
    bench.clock.advance(2_000)
    scheduler = Scheduler((bench.partition, bench.other.partition), bench.clock, Settings(), NoErrands())
    running = asyncio.create_task(scheduler.run())
    async with asyncio.timeout(20):
        while await bench.exists("k_timers"):  # noqa: ASYNC110 - what is waited for happens in Redis
            await asyncio.sleep(0.001)
    running.cancel()
    assert await bench.lease("w") == [run]


async def test_a_ticker_outlives_an_outage_and_wakes_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks, seen = list[int](), asyncio.Queue[int]()

    async def tick(_: Ticks) -> Ticked:
        ticks.append(1)
        seen.put_nowait(len(ticks))
        if len(ticks) == 1:
            raise StoreUnavailable("redis://down", "connection refused")
        return Ticked(0, 0, 3_600_000)

    monkeypatch.setattr(Ticks, "tick", tick)
    monkeypatch.setattr("stepwell.platform.scheduler.PAUSE", 0.001)
    ticker = Ticker(Ticks.__new__(Ticks))
    running = asyncio.create_task(ticker.run())
    assert [await seen.get(), await seen.get()] == [1, 2]
    ticker.wake()
    assert await seen.get() == 3
    running.cancel()


async def test_a_timer_that_is_due_before_the_ticker_wakes_wakes_it(bench: Bench) -> None:
    lease = await bench.started()
    await bench.ticks.tick()
    channel = f"sw:tick:{bench.partition.keys.tag}"
    async with asyncio.timeout(20), bench.partition.store.subscribe(channel) as messages:
        await anext(messages)
        await bench.sleep(lease, "long", IDLE + 1)
        await bench.sleep(lease, "short", IDLE - 1)
        assert await anext(messages) == (channel, str(bench.clock.now() + IDLE - 1).encode())
