"""The stories on three masters with 16 partitions, and those that cross from one partition to another."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from stepwell.functions import App, Concurrency, Context
from stepwell.platform.ids import partition_of
from stepwell.platform.outbox import Outboxes
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.platform_harness import harness
from tests.redis_servers import Cluster, Server, free_port, program

# Every story is collected here as well; where it asks for a store, it gets the one below.
from tests.test_stories import *  # noqa: F403
from tests.test_stories_controls import *  # noqa: F403
from tests.test_stories_cron import *  # noqa: F403
from tests.test_stories_flow import *  # noqa: F403
from tests.test_stories_invoke import *  # noqa: F403
from tests.test_stories_moves import *  # noqa: F403
from tests.test_stories_steering import *  # noqa: F403
from tests.test_stories_waits import *  # noqa: F403

EVENTS = 24


@pytest.fixture  # type: ignore[no-redef]
async def store(cluster: Cluster) -> AsyncGenerator[Store]:
    """An empty store of 16 partitions."""
    async with Store.open(Settings(redis_url=cluster.url)) as opened:
        assert opened.partitions == 16
        yield opened


async def test_events_from_everywhere_keep_to_the_limit_of_one_function(store: Store) -> None:
    app, now, most, go_on = App("shop"), set[str](), list[int](), asyncio.Event()

    @app.function(on="go", concurrency=Concurrency(3))
    async def work(ctx: Context[Any]) -> int:
        async def body() -> int:
            now.add(ctx.run_id)
            most.append(len(now))
            await go_on.wait()
            now.discard(ctx.run_id)
            return partition_of(ctx.event.id)

        return await ctx.step.run("body", body)

    async with harness(store, app) as platform:
        runs = [await platform.start("go") for _ in range(EVENTS)]

        async def full() -> bool:
            return len(now) == 3

        await platform.eventually(full)
        go_on.set()
        homes = {await platform.output(run) for run in runs}
        assert len(homes) > 3, "the events live in several partitions"
        assert len({partition_of(run) for run in runs}) == 1, "the runs live where the limit is counted"
        assert (max(most), len(most)) == (3, EVENTS)


async def test_a_run_whose_sender_died_before_delivering_it_is_delivered_by_the_scheduler(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, calls = App("shop"), list[str]()

    @app.function(on="go", concurrency=Concurrency(2))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.run("call", calls.append, ctx.run_id)

    def never(_: Outboxes, __: int) -> Callable[[object], None]:
        return lambda _: None

    # What is left when the process ends between the acknowledgement and the delivery.
    monkeypatch.setattr(Outboxes, "hurry", never)
    async with harness(store, app) as platform:
        runs = [await platform.start("go", id=f"event-{number}") for number in range(EVENTS)]
        assert [await platform.start("go", id=f"event-{number}") for number in range(EVENTS)] == runs
        assert len(calls) < EVENTS
        await platform.scheduler.tick()
        for run in runs:
            await platform.until(run, Status.COMPLETED)
        assert sorted(calls) == sorted(runs)


async def test_a_worker_that_dies_leaves_its_runs_in_every_partition_to_the_next(store: Store) -> None:
    app, times, stuck = App("shop"), Counter[str](), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def body(name: str) -> str:
            times[name] += 1
            if name.startswith("two") and times[name] == 1:
                stuck.set()
                await asyncio.Event().wait()
            return name

        one = await ctx.step.run("one", body, f"one of {ctx.run_id}")
        return one + await ctx.step.run("two", body, f"two of {ctx.run_id}")

    async with harness(store, app) as platform:
        await platform.stop_worker()
        await platform.start_worker(concurrency=EVENTS)
        runs = [await platform.start("go") for _ in range(EVENTS)]

        async def all_stuck() -> bool:
            return sum(times.values()) == 2 * EVENTS

        await platform.eventually(all_stuck)
        await platform.stop_worker(drain=False)
        await platform.live_on(16)
        headers = [await platform.run(run) for run in runs]
        assert {(header.status, header.crashes) for header in headers} == {(Status.QUEUED, 1)}
        assert len({partition_of(run) for run in runs}) > 3
        await platform.start_worker()
        for run in runs:
            assert await platform.output(run) == f"one of {run}two of {run}"
            assert (times[f"one of {run}"], times[f"two of {run}"]) == (1, 2)


@pytest.fixture
def frail_cluster(short_path: Path) -> Cluster:
    """Three masters of the test's own, which keep their data and may be killed."""
    kept: dict[str, str | int] = {"appendonly": "yes"}
    nodes = [Server(program("redis"), short_path / f"node{n}", free_port(), options=dict(kept)) for n in range(3)]
    return Cluster(nodes)


@pytest.mark.slow
async def test_masters_that_die_and_come_back_cost_no_second_execution(frail_cluster: Cluster) -> None:
    app, times, go_on = App("shop"), Counter[str](), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> int:
        async def body(number: int) -> int:
            times[f"{number} of {ctx.run_id}"] += 1
            await go_on.wait()
            return number

        return sum([await ctx.step.run(f"step-{number}", body, number) for number in range(4)])

    try:
        await asyncio.to_thread(frail_cluster.start)
        async with Store.open(Settings(redis_url=frail_cluster.url)) as store, harness(store, app) as platform:
            runs = [await platform.start("go") for _ in range(EVENTS)]
            for node in frail_cluster.nodes:
                await asyncio.to_thread(node.kill)
                go_on.set()
                await asyncio.to_thread(node.start)
                go_on.clear()
            go_on.set()
            assert [await platform.output(run) for run in runs] == [6] * EVENTS
            assert set(times.values()) == {1}
            assert len(times) == 4 * EVENTS
    finally:
        frail_cluster.kill()
