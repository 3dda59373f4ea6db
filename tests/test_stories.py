"""What a user sees: one test a story, over memory, Redis and Valkey."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from pydantic import BaseModel

from stepwell.functions import (
    App,
    Concurrency,
    Context,
    Event,
    NonRetriable,
    Retries,
    RetryAfter,
    StepFailed,
    SyncContext,
)
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.platform_harness import harness

DAY = 86_400_000


class Order(BaseModel):
    id: str
    total: Decimal


async def test_an_event_starts_each_function_that_subscribes_to_it(store: Store) -> None:
    app = App("shop")

    @app.function(on="order.placed")
    async def bill(ctx: Context[Order]) -> str:
        return f"billed {ctx.data.id} {ctx.data.total}"

    @app.function(on=["order.*", "never"])
    async def audit(ctx: Context[Any]) -> str:
        return ctx.event.name

    async with harness(store, app) as platform:
        runs = await platform.send("order.placed", {"id": "o-1", "total": "9.50"})
        assert {await platform.output(run) for run in runs} == {"billed o-1 9.50", "order.placed"}
        assert await platform.send("order") == []


async def test_a_recorded_step_never_runs_again(store: Store) -> None:
    app, calls = App("shop"), list[str]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> list[int]:
        async def body(name: str, value: int) -> int:
            calls.append(name)
            return value

        one = await ctx.step.run("one", body, "one", 1)
        await ctx.step.sleep("rest", "1h")
        two = await ctx.step.run("two", body, "two", 2)
        await ctx.step.sleep("rest", "1h")
        return [one, two]

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.advance(3_600_000)
        await platform.eventually(lambda: _has(platform, run, "rest:1"))
        await platform.until(run, Status.WAITING)
        await platform.advance(3_600_000)
        assert await platform.output(run) == [1, 2]
        assert calls == ["one", "two"]
        assert list(await platform.steps(run)) == ["one", "rest", "two", "rest:1"]


async def test_a_run_with_much_state_is_resumed_by_the_same_worker_and_by_another(store: Store) -> None:
    app, calls = App("shop"), list[str]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> list[int]:
        async def body(name: str) -> str:
            calls.append(name)
            return name * 40_000

        sizes = list[int]()
        for name in ("a", "b", "c", "d"):
            sizes.append(len(await ctx.step.run(name, body, name)))
            await ctx.step.sleep(f"after {name}", "1h")
        return sizes

    async with harness(store, app) as platform:
        run = await platform.start("go")
        for name in "abcd":
            await platform.eventually(partial(_has, platform, run, f"after {name}"))
            await platform.until(run, Status.WAITING)
            if name == "c":
                await platform.stop_worker()
                await platform.start_worker()
            await platform.advance(3_600_000)
        assert await platform.output(run) == [40_000] * 4
        assert calls == ["a", "b", "c", "d"]


async def _has(platform: Any, run: str, step: str) -> bool:
    return step in await platform.steps(run)


async def test_a_sleep_is_never_early(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def nap(ctx: Context[Any]) -> str:
        await ctx.step.sleep("nap", "10s")
        return "awake"

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.advance(9_999)
        assert (await platform.run(run)).status is Status.WAITING
        await platform.advance(1)
        assert await platform.output(run) == "awake"


async def test_sleep_until_a_time_that_is_past_goes_on_at_once(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def nap(ctx: Context[Any]) -> str:
        await ctx.step.sleep_until("past", datetime(2020, 1, 1, tzinfo=UTC))
        return "awake"

    async with harness(store, app) as platform:
        assert await platform.output(await platform.start("go")) == "awake"


async def test_a_failing_step_is_tried_again_with_growing_delays(store: Store) -> None:
    app, tries = App("shop"), list[int]()

    @app.function(on="go", retries=3)
    async def work(ctx: Context[Any]) -> int:
        async def body() -> int:
            tries.append(1)
            if len(tries) < 3:
                raise ConnectionError(f"try {len(tries)}")
            return len(tries)

        return await ctx.step.run("call", body)

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        step = (await platform.steps(run))["call"]
        assert (step.state, step.attempts) == ("retrying", 1)
        assert b"try 1" in step.payload
        assert step.due > platform.clock.now()
        await _pass_time(platform, run, 3 * DAY)
        assert await platform.output(run) == 3
        assert (await platform.steps(run))["call"].attempts == 3


async def _pass_time(platform: Any, run: str, most: int) -> None:
    """Moves time forward, minute by minute, until the run has ended."""
    passed = 0
    while not (await platform.run(run)).status.ended and passed < most:
        if (await platform.run(run)).status is Status.WAITING:
            platform.clock.advance(60_000)
            passed += 60_000
            await platform.scheduler.tick()
        await asyncio.sleep(0.002)


async def test_when_its_attempts_are_used_up_the_run_fails_with_the_last_error(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", retries=1)
    async def work(ctx: Context[Any]) -> None:
        async def body() -> None:
            raise ValueError("no such account")

        await ctx.step.run("charge", body)

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await _pass_time(platform, run, DAY)
        error = await platform.error(run)
        assert "no such account" in error["message"]
        assert (await platform.steps(run))["charge"].state == "failed"


async def test_a_failed_step_can_be_caught_to_compensate(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def charge() -> None:
            raise NonRetriable("card declined")

        async def refund() -> str:
            return "refunded"

        try:
            await ctx.step.run("charge", charge)
        except StepFailed:
            return await ctx.step.run("refund", refund)
        return "charged"

    async with harness(store, app) as platform:
        run = await platform.start("go")
        assert await platform.output(run) == "refunded"
        assert (await platform.steps(run))["charge"].attempts == 1


async def test_retry_after_says_when(store: Store) -> None:
    app, tries = App("shop"), list[int]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> int:
        async def body() -> int:
            tries.append(1)
            if len(tries) == 1:
                raise RetryAfter("2h")
            return len(tries)

        return await ctx.step.run("call", body)

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        assert (await platform.steps(run))["call"].due == platform.clock.now() + 7_200_000
        await platform.advance(7_200_000)
        assert await platform.output(run) == 2


async def test_an_error_outside_steps_tries_the_function_again_and_keeps_its_steps(store: Store) -> None:
    app, seen = App("shop"), list[str]()

    @app.function(on="go", retries=Retries(times=2))
    async def work(ctx: Context[Any]) -> int:
        async def body() -> None:
            seen.append("step")

        await ctx.step.run("once", body)
        seen.append(f"attempt {ctx.attempt}")
        if ctx.attempt < 2:
            raise RuntimeError("not yet")
        return ctx.attempt

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await _pass_time(platform, run, DAY)
        assert await platform.output(run) == 2
        assert seen.count("step") == 1
        assert seen[-1] == "attempt 2"


async def test_branches_run_side_by_side_and_each_is_recorded(store: Store) -> None:
    app, together = App("shop"), list[int]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> list[int]:
        running = 0

        async def body(n: int) -> int:
            nonlocal running
            running += 1
            together.append(running)
            await asyncio.sleep(0)
            running -= 1
            return n

        async def branch(n: int) -> int:
            value = await ctx.step.run(f"first-{n}", body, n)
            await ctx.step.sleep(f"rest-{n}", f"{n + 1}m")
            return await ctx.step.run(f"second-{n}", body, value * 10)

        return list(await asyncio.gather(*(branch(n) for n in range(3))))

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await _pass_time(platform, run, DAY)
        assert await platform.output(run) == [0, 10, 20]
        assert max(together) == 3
        assert len(await platform.steps(run)) == 9


async def test_a_plain_def_handler_does_all_the_same(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    def work(ctx: SyncContext[Order]) -> dict[str, Any]:
        first = ctx.step.run("first", lambda: ctx.data.id)
        ctx.step.sleep("rest", "1m")
        pair = ctx.step.parallel(lambda: ctx.step.run("a", str.upper, "a"), lambda: ctx.step.run("b", str.upper, "b"))
        return {"first": first, "pair": list(pair)}

    async with harness(store, app) as platform:
        run = await platform.start("go", {"id": "o-1", "total": 1})
        await platform.until(run, Status.WAITING)
        await platform.advance(60_000)
        assert await platform.output(run) == {"first": "o-1", "pair": ["A", "B"]}


async def test_events_sent_by_a_step_are_sent_once(store: Store) -> None:
    app, got = App("shop"), list[str]()

    @app.function(on="go")
    async def first(ctx: Context[Any]) -> list[str]:
        ids = await ctx.step.send("tell", Event("told", {"n": 1}))
        await ctx.step.sleep("rest", "1m")
        return list(ids)

    @app.function(on="told")
    async def second(ctx: Context[Any]) -> None:
        got.append(ctx.event.id)

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.advance(60_000)
        ids = await platform.output(run)
        assert len(ids) == 1
        [told] = (await platform.event(ids[0])).runs
        await platform.output(told)
        assert got == ids


async def test_the_same_event_id_starts_nothing_twice(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        return ctx.event.id

    async with harness(store, app) as platform:
        first = await platform.start("go", {"n": 1}, id="mine")
        assert await platform.start("go", {"n": 2}, id="mine") == first
        platform.clock.advance(DAY - 1)
        assert await platform.start("go", {"n": 3}, id="mine") == first
        platform.clock.advance(DAY)
        assert await platform.start("go", {"n": 4}, id="mine") != first


async def test_an_event_dated_in_the_future_delays_its_runs(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        return "done"

    async with harness(store, app) as platform:
        run = await platform.start("go", ts=platform.clock.now() + 5_000)
        await platform.advance(4_999)
        assert (await platform.run(run)).status is Status.QUEUED
        await platform.advance(1)
        assert await platform.output(run) == "done"


async def test_a_sleeping_run_is_cancelled_at_once(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("long", "30d")

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        assert await platform.cancel(run) == "CANCELLED"
        assert await platform.cancel(run) == "ENDED"
        await platform.forget_everything()
        await platform.stop_worker()
        assert await platform.keys_without_owner() == []


async def test_a_running_run_is_cancelled_at_its_next_await_and_may_clean_up(store: Store) -> None:
    app, seen, started = App("shop"), list[str](), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        async def clean() -> None:
            seen.append("cleaned")

        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await ctx.step.run("clean", clean)
            raise

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await started.wait()
        assert await platform.cancel(run) == "ASKED"
        await platform.until(run, Status.CANCELLED)
        assert seen == ["cleaned"]


async def test_a_run_that_does_not_let_go_is_cancelled_after_30_seconds(store: Store) -> None:
    app, started, release = App("shop"), asyncio.Event(), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await started.wait()
        await platform.cancel(run)
        await platform.advance(29_000)
        assert (await platform.run(run)).status is Status.RUNNING
        await platform.advance(1_000)
        assert (await platform.run(run)).status is Status.CANCELLED
        release.set()


async def test_no_more_runs_at_once_than_the_limit_for_each_key(store: Store) -> None:
    app, now, most, go_on = App("shop"), dict[str, int](), dict[str, int](), asyncio.Event()

    @app.function(on="go", concurrency=Concurrency(2, key="event.data.customer"))
    async def work(ctx: Context[Any]) -> None:
        customer = ctx.event.data["customer"]
        now[customer] = now.get(customer, 0) + 1
        most[customer] = max(most.get(customer, 0), now[customer])
        await go_on.wait()
        now[customer] -= 1

    async with harness(store, app) as platform:
        runs = [await platform.start("go", {"customer": customer}) for customer in "aabbaabbab"]

        async def full() -> bool:
            return now == {"a": 2, "b": 2}

        await platform.eventually(full)
        go_on.set()
        for run in runs:
            await platform.output(run)
        assert most == {"a": 2, "b": 2}


async def test_a_run_whose_worker_died_goes_on_from_its_last_step(store: Store) -> None:
    app, calls, stuck = App("shop"), list[str](), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def body(name: str) -> str:
            calls.append(name)
            if name == "two" and calls.count("two") == 1:
                stuck.set()
                await asyncio.Event().wait()
            return name

        return await ctx.step.run("one", body, "one") + await ctx.step.run("two", body, "two")

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await stuck.wait()
        await platform.stop_worker(drain=False)
        await platform.live_on(16)
        assert (await platform.run(run)).status is Status.QUEUED
        assert (await platform.run(run)).crashes == 1
        await platform.start_worker()
        assert await platform.output(run) == "onetwo"
        assert calls == ["one", "two", "two"]


async def test_a_run_that_kills_its_workers_fails_as_crashed_and_is_kept(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await asyncio.Event().wait()

    async with harness(store, app, settings=Settings(crash_limit=2)) as platform:
        run = await platform.start("go")
        for death in range(3):
            await platform.until(run, Status.RUNNING)
            await platform.crash_worker()
            # The second death makes it a suspect, which only a worker for suspects is given.
            await platform.start_worker(suspects=death > 0)
        error = await platform.error(run)
        assert error["type"] == "Crashed"
        assert "STEPWELL_CRASH_LIMIT" in error["message"]


async def test_draining_finishes_the_step_and_releases_the_rest(store: Store) -> None:
    app, calls, inside, go_on = App("shop"), list[str](), asyncio.Event(), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def body(name: str) -> str:
            calls.append(name)
            inside.set()
            await go_on.wait()
            return name

        return await ctx.step.run("one", body, "one") + await ctx.step.run("two", body, "two")

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await inside.wait()
        stopping = asyncio.create_task(platform.stop_worker())
        await asyncio.sleep(0)
        go_on.set()
        await stopping
        header = await platform.run(run)
        assert (header.status, header.crashes) == (Status.QUEUED, 0)
        assert list(await platform.steps(run)) == ["one"]
        await platform.start_worker()
        assert await platform.output(run) == "onetwo"
        assert calls == ["one", "two"]


async def test_too_many_steps_fail_the_run_and_name_the_setting(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        for number in range(10):
            await ctx.step.run(f"step-{number}", lambda: None)

    async with harness(store, app, settings=Settings(max_steps=5)) as platform:
        error = await platform.error(await platform.start("go"))
        assert "STEPWELL_MAX_STEPS" in error["message"]


async def test_nothing_is_left_of_runs_that_retention_has_removed(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", concurrency=1)
    async def work(ctx: Context[Any]) -> int:
        value = await ctx.step.run("a", lambda: 1)
        await ctx.step.sleep("rest", "1s")
        if ctx.event.data["fail"]:
            raise NonRetriable("asked to")
        return value

    async with harness(store, app) as platform:
        runs = [await platform.start("go", {"fail": fail}) for fail in (False, True, False)]
        for run in runs:
            await _pass_time(platform, run, DAY)
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []
