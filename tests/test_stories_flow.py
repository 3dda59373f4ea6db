"""Stories of flow control: who may start now, who waits, who is dropped, and what is said of it."""

import asyncio
from typing import Any

import pytest

from stepwell.functions import App, Batch, Concurrency, Context, Debounce, Priority, RateLimit, Singleton, Throttle
from stepwell.platform.flow.pausing import Pausing
from stepwell.platform.records import Status
from stepwell.platform.steering.order import Order
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness

SECOND, MINUTE = 1_000, 60_000


async def event_runs(platform: Harness, name: str, data: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Runs of a new event, and why other functions have none."""
    record = await platform.accepted(name, data)
    return list(record.runs), {function: refusal.reason for function, refusal in record.refusals}


async def test_what_a_rate_limit_drops_is_said_and_no_span_of_its_period_has_more(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", rate_limit=RateLimit(2, "1m", key="event.data.tenant"))
    async def work(ctx: Context[Any]) -> None: ...

    async with harness(store, app) as platform:
        one = {"tenant": "one"}
        assert (await event_runs(platform, "go", one))[1] == {}
        await platform.advance(50 * SECOND)
        assert (await event_runs(platform, "go", one))[1] == {}
        assert await event_runs(platform, "go", one) == ([], {"shop/work": "rate_limited"})
        assert (await event_runs(platform, "go", {"tenant": "two"}))[1] == {}
        await platform.advance(10 * SECOND)
        [run], _ = await event_runs(platform, "go", one)
        await platform.until(run, Status.COMPLETED)
        assert await event_runs(platform, "go", one) == ([], {"shop/work": "rate_limited"})


async def test_there_is_one_run_of_a_singleton_key_until_it_has_ended(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", singleton=Singleton(key="event.data.id"))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1m")

    async with harness(store, app) as platform:
        [first], _ = await event_runs(platform, "go", {"id": 1})
        await platform.until(first, Status.WAITING)
        event = await platform.accepted("go", {"id": 1})
        [(function, refusal)] = event.refusals
        assert (event.runs, function, refusal.reason, refusal.run) == ((), "shop/work", "singleton", first)
        [other], _ = await event_runs(platform, "go", {"id": 2})
        await platform.until(other, Status.WAITING)
        await platform.advance(MINUTE)
        await platform.until(first, Status.COMPLETED)
        await platform.until(other, Status.COMPLETED)
        [again], _ = await event_runs(platform, "go", {"id": 1})
        assert again != first


async def test_a_newer_run_of_a_singleton_takes_the_place_of_the_older(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", singleton=Singleton(mode="cancel"))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1m")

    async with harness(store, app) as platform:
        [first], _ = await event_runs(platform, "go", {})
        await platform.until(first, Status.WAITING)
        [second], _ = await event_runs(platform, "go", {})
        ended = await platform.until(first, Status.CANCELLED)
        assert b"Singleton" in ended.error
        await platform.until(second, Status.WAITING)
        await platform.advance(MINUTE)
        await platform.until(second, Status.COMPLETED)


async def test_a_debounced_run_is_for_the_last_event_once_it_is_quiet(store: Store) -> None:
    app, seen = App("shop"), list[int]()

    @app.function(on="go", debounce=Debounce("10s", timeout="25s", key="event.data.id"))
    async def work(ctx: Context[Any]) -> None:
        seen.append(ctx.data["n"])

    async with harness(store, app) as platform:
        runs = set[str]()
        for n in range(3):
            found, _ = await event_runs(platform, "go", {"id": 1, "n": n})
            runs.update(found)
            await platform.advance(9 * SECOND)
        [run] = runs
        # 25 s after the first event, although the last one is 7 s old.
        await platform.until(run, Status.COMPLETED)
        assert seen == [2]
        [late], _ = await event_runs(platform, "go", {"id": 1, "n": 3})
        assert (await platform.run(late)).status is Status.QUEUED
        await platform.advance(10 * SECOND)
        await platform.until(late, Status.COMPLETED)
        assert seen == [2, 3]


async def test_a_batch_is_one_run_for_many_events(store: Store) -> None:
    app, seen = App("shop"), list[list[int]]()

    @app.function(on="go", batch=Batch(3, "1m", if_="event.data.n < 100"))
    async def work(ctx: Context[Any]) -> None:
        seen.append([event.data["n"] for event in ctx.events])

    async with harness(store, app) as platform:
        runs = [(await event_runs(platform, "go", {"n": n}))[0] for n in range(5)]
        assert runs[0] == runs[1] == runs[2] != runs[3] == runs[4]
        await platform.until(runs[0][0], Status.COMPLETED)
        [alone], _ = await event_runs(platform, "go", {"n": 100})
        await platform.until(alone, Status.COMPLETED)
        assert seen == [[0, 1, 2], [100]]
        await platform.advance(MINUTE)
        await platform.until(runs[4][0], Status.COMPLETED)
        assert seen == [[0, 1, 2], [100], [3, 4]]


async def test_a_batch_is_done_again_with_all_its_events(store: Store) -> None:
    app, seen = App("shop"), list[list[int]]()

    @app.function(on="go", batch=Batch(20, "1m"))
    async def work(ctx: Context[Any]) -> None:
        seen.append([event.data["n"] for event in ctx.events])

    async with harness(store, app) as platform:
        [[run], *others] = [(await event_runs(platform, "go", {"n": n}))[0] for n in range(20)]
        assert others == [[run]] * 19
        await platform.until(run, Status.COMPLETED)
        again = await platform.steering.rerun(run, Order())
        await platform.until(again, Status.COMPLETED)
        other = await platform.steering.rerun(run, Order(input={"n": 100}))
        await platform.until(other, Status.COMPLETED)
        assert seen == [[*range(20)], [*range(20)], [100]]
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []


async def test_a_throttle_spreads_starts_and_holds_back_no_run_that_has_begun(store: Store) -> None:
    app, started = App("shop"), list[tuple[int, int]]()

    @app.function(on="go", throttle=Throttle(6, "1m", burst=2))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.run("begin", lambda: started.append((ctx.data["n"], platform.clock.now())))
        await ctx.step.sleep("nap", "1s")

    async with harness(store, app, worker=False) as platform:
        runs = list[str]()
        for n in range(5):
            runs += (await platform.accepted("go", {"n": n})).runs
            await platform.advance(1)
        begun = platform.clock.now()
        await platform.start_worker()
        for run in runs[:2]:
            await platform.until(run, Status.WAITING)
        assert len(started) == 2
        await platform.advance(SECOND)
        for run in runs[:2]:
            await platform.until(run, Status.COMPLETED)
        for number, run in enumerate(runs[2:], start=1):
            await platform.advance(begun + 10 * SECOND * number - platform.clock.now() - 1)
            assert (await platform.run(run)).status is Status.QUEUED
            await platform.advance(1)
            await platform.until(run, Status.WAITING)
        assert [n for n, _ in started] == [0, 1, 2, 3, 4]
        await platform.advance(SECOND)
        for run in runs:
            await platform.until(run, Status.COMPLETED)


async def test_a_run_of_priority_goes_ahead(store: Store) -> None:
    app, order = App("shop"), list[int]()

    @app.function(on="go", concurrency=1, priority=Priority("event.data.urgent ? 600 : 0"))
    async def work(ctx: Context[Any]) -> None:
        order.append(ctx.data["n"])

    async with harness(store, app, worker=False) as platform:
        runs = list[str]()
        for n in range(4):
            runs += (await platform.accepted("go", {"n": n, "urgent": n == 3})).runs
            await platform.advance(1)
        await platform.start_worker()
        for run in runs:
            await platform.until(run, Status.COMPLETED)
        assert order == [3, 0, 1, 2]


async def test_functions_of_an_app_share_slots(store: Store) -> None:
    app, shared, at_work = App("shop"), Concurrency(1, scope="app", name="api"), list[str]()

    @app.function(on="go", concurrency=shared)
    async def one(ctx: Context[Any]) -> None:
        await ctx.step.run("work", lambda: at_work.append("one"))

    @app.function(on="go", concurrency=shared)
    async def other(ctx: Context[Any]) -> None:
        await ctx.step.run("work", lambda: at_work.append("other"))

    async with harness(store, app) as platform:
        runs, _ = await event_runs(platform, "go", {})
        for run in runs:
            await platform.until(run, Status.COMPLETED)
        assert sorted(at_work) == ["one", "other"]


async def test_a_paused_function_keeps_holds_or_drops(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1s")

    async with harness(store, app) as platform:
        pausing = Pausing(platform.partitions, platform.registry)
        under_way = await platform.start("go")
        await platform.until(under_way, Status.WAITING)
        assert await pausing.pause("shop/work", "keep")
        kept = await platform.start("go")
        await platform.advance(SECOND)
        assert (await platform.until(under_way, Status.QUEUED)).status is Status.QUEUED
        assert (await platform.run(kept)).status is Status.QUEUED
        assert await pausing.pause("shop/work", "hold")
        await platform.until(under_way, Status.COMPLETED)
        assert (await platform.run(kept)).status is Status.QUEUED
        assert await pausing.pause("shop/work", "drop")
        await platform.until(kept, Status.WAITING)
        assert await event_runs(platform, "go", {}) == ([], {"shop/work": "paused"})
        assert await pausing.resume("shop/work")
        again = await platform.start("go")
        await platform.until(again, Status.WAITING)
        await platform.advance(SECOND)
        await platform.until(kept, Status.COMPLETED)
        await platform.until(again, Status.COMPLETED)


@pytest.mark.parametrize("limit", [7, 30, 59, 3_000])
async def test_a_throttle_of_any_rate_lets_runs_begin(store: Store, limit: int) -> None:
    app = App("shop")

    @app.function(on="go", throttle=Throttle(limit, "1s"))
    async def work(ctx: Context[Any]) -> None: ...

    async with harness(store, app) as platform:
        runs = [run for n in range(3) for run in (await platform.accepted("go", {"n": n})).runs]
        for _ in range(6):
            await platform.eventually_idle()
            await platform.advance(150)
        for run in runs:
            await platform.until(run, Status.COMPLETED)


async def test_every_key_of_a_throttle_has_its_turn(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", throttle=Throttle(1, "1s"), fairness="event.data.n")
    async def work(ctx: Context[Any]) -> None: ...

    async with harness(store, app) as platform:
        runs = [run for n in range(5) for run in (await platform.accepted("go", {"n": n})).runs]
        for _ in range(6):
            await platform.eventually_idle()
            await platform.advance(SECOND)
        for run in runs:
            await platform.until(run, Status.COMPLETED)


async def test_a_throttle_that_lets_more_begin_by_a_deploy_does_so_at_once(store: Store) -> None:
    def shop(throttle: Throttle) -> App:
        app = App("shop")

        @app.function(on="go", throttle=throttle)
        async def work(ctx: Context[Any]) -> None: ...

        return app

    slow = shop(Throttle(1, "7d"))
    async with harness(store, slow) as platform:
        runs = [run for n in range(5) for run in (await platform.accepted("go", {"n": n})).runs]
        await platform.eventually_idle()
        await platform.registry.register(shop(Throttle(60, "1m")).manifest)
        for _ in range(8):
            await platform.advance(SECOND)
            await platform.eventually_idle()
        for run in runs:
            await platform.until(run, Status.COMPLETED)


async def test_a_slot_is_not_kept_for_a_function_that_nobody_serves(store: Store) -> None:
    shared = Concurrency(1, scope="environment", name="db")
    served, unserved, gate = App("served"), App("unserved"), asyncio.Event()

    @served.function(on="go", concurrency=shared)
    async def work(ctx: Context[Any]) -> None:
        await gate.wait()

    @unserved.function(on="rest", concurrency=shared)
    async def rest(ctx: Context[Any]) -> None: ...

    async with harness(store, served, unserved) as platform:
        first = await platform.start("go")
        await platform.until(first, Status.RUNNING)
        await platform.accepted("rest")
        await platform.eventually_idle()
        await platform.advance(1)
        [second] = (await platform.accepted("go")).runs
        await platform.eventually_idle()
        await platform.crash_worker()
        platform.apps = [served]
        gate.set()
        await platform.start_worker()
        for _ in range(5):
            await platform.eventually_idle()
            await platform.advance(SECOND)
        for run in (first, second):
            await platform.until(run, Status.COMPLETED)
