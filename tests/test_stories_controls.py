"""Stories of runs that are cancelled by events or by time, held back, or followed by a handler of failures."""

import asyncio
from typing import Any

from stepwell.functions import App, CancelOn, Context, Idempotency, NonRetriable, RunFailed, Timeouts
from stepwell.platform.records import Status
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.store.store import Store
from tests.platform_harness import harness

HOUR = 3_600_000


async def test_an_event_cancels_the_runs_that_it_matches_whatever_they_do(store: Store) -> None:
    app, started, cleaned = App("shop"), asyncio.Event(), list[str]()

    @app.function(on="go", cancel_on=CancelOn("stop", match="data.id"))
    async def work(ctx: Context[Any]) -> None:
        if ctx.data["how"] == "asleep":
            await ctx.step.sleep("nap", "1d")
        elif ctx.data["how"] == "waiting":
            await ctx.step.wait_for_event("never", "never")
        elif ctx.data["how"] == "retrying":
            await ctx.step.run("fails", _fail)
        else:
            started.set()
            try:
                await asyncio.gather(ctx.step.sleep("nap", "1d"), asyncio.Event().wait())
            finally:
                cleaned.append("up")

    async with harness(store, app) as platform:
        runs = {
            how: await platform.start("go", {"how": how, "id": 1})
            for how in ("asleep", "waiting", "retrying", "executing")
        }
        spared = await platform.start("go", {"how": "asleep", "id": 2})
        for how in ("asleep", "waiting", "retrying"):
            await platform.until(runs[how], Status.WAITING)
        await started.wait()
        await platform.waits.errands.empty()
        platform.clock.advance(1)
        await platform.send("stop", {"id": 1})
        for run in runs.values():
            cancelled = await platform.until(run, Status.CANCELLED)
            assert b"CancelledByEvent" in cancelled.error
        assert cleaned == ["up"]
        assert (await platform.until(spared, Status.WAITING)).status is Status.WAITING


def _fail() -> None:
    raise ValueError("again")


async def test_an_event_cancels_only_within_its_time_and_under_its_condition(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", cancel_on=CancelOn("stop", if_="async.data.level > 3", within="1h"))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1d")

    async with harness(store, app) as platform:
        early, late = await platform.start("go"), ""
        await platform.until(early, Status.WAITING)
        await platform.waits.errands.empty()
        platform.clock.advance(HOUR)
        late = await platform.start("go")
        await platform.until(late, Status.WAITING)
        await platform.waits.errands.empty()
        platform.clock.advance(1)
        await platform.send("stop", {"level": 3})
        await platform.send("stop", {"level": 4})
        await platform.until(late, Status.CANCELLED)
        assert (await platform.run(early)).status is Status.WAITING


async def test_an_event_that_came_before_the_cancel_was_listed_counts(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", cancel_on=CancelOn("stop", match="data.id"))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1d")

    async with harness(store, app) as platform:
        run = await platform.start("go", {"id": 1})
        platform.clock.advance(1)
        await platform.send("stop", {"id": 1})
        await platform.waits.errands.empty()
        await platform.until(run, Status.CANCELLED)


async def test_a_run_is_cancelled_by_what_cancelled_its_function_when_it_began(store: Store) -> None:
    def work(*cancel_on: CancelOn) -> App:
        app = App("shop")

        @app.function(on="go", cancel_on=list(cancel_on))
        async def work(ctx: Context[Any]) -> None:
            await ctx.step.sleep("nap", "1d")

        return app

    async with harness(store, work(CancelOn("stop", match="data.id"))) as platform:
        run = await platform.start("go", {"id": 1})
        await platform.until(run, Status.WAITING)
        await platform.waits.errands.empty()
        await platform.registry.register(work().manifest)
        await platform.send("stop", {"id": 1})
        await platform.until(run, Status.CANCELLED)


async def test_a_run_that_does_not_begin_or_end_in_time_is_cancelled(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", timeouts=Timeouts(start="1h", finish="1d"))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "2d")

    @app.function(on="quick", timeouts=Timeouts(start="1h", finish="1d"))
    async def quick(ctx: Context[Any]) -> int:
        await ctx.step.sleep("nap", "2h")
        return 1

    async with harness(store, app) as platform:
        begun, fast = await platform.start("go"), await platform.start("quick")
        await platform.until(begun, Status.WAITING)
        await platform.until(fast, Status.WAITING)
        await platform.stop_worker()
        late = await platform.start("go")
        await platform.advance(HOUR - 1)
        assert (await platform.run(late)).status is Status.QUEUED
        await platform.advance(1)
        failed = await platform.until(late, Status.CANCELLED)
        assert b"it did not start within 3600 s" in failed.error
        await platform.start_worker()
        await platform.advance(HOUR)
        assert await platform.output(fast) == 1
        await platform.advance(22 * HOUR - 1)
        assert (await platform.run(begun)).status is Status.WAITING
        await platform.advance(1)
        assert b"it did not finish within 86400 s" in (await platform.until(begun, Status.CANCELLED)).error


async def test_a_key_starts_one_run_in_its_period(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", idempotency=Idempotency("event.data.id", period="1h"))
    async def work(ctx: Context[Any]) -> int:
        return int(ctx.data["n"])

    async with harness(store, app) as platform:
        first = await platform.start("go", {"id": "a", "n": 1})
        assert await platform.output(first) == 1
        again = await platform.send("go", {"id": "a", "n": 2})
        other = await platform.start("go", {"id": "b", "n": 3})
        assert await platform.output(other) == 3
        if store.partitions == 1:  # elsewhere the event tells of a run that never comes
            assert again == []
        platform.clock.advance(HOUR)
        later = await platform.start("go", {"id": "a", "n": 4})
        assert await platform.output(later) == 4


async def test_a_failed_run_is_followed_once_by_its_handler(store: Store) -> None:
    app, told = App("shop"), list[tuple[str, str, str, Any]]()

    async def tell(ctx: Context[RunFailed]) -> None:
        await ctx.step.run(
            "tell",
            lambda: told.append((ctx.data.function, ctx.data.run_id, ctx.data.error.message, ctx.data.event.data)),
        )

    @app.function(on="go", on_failure=tell)
    async def work(ctx: Context[Any]) -> None:
        if ctx.data["fail"]:
            raise NonRetriable("no stock")

    async with harness(store, app) as platform:
        good = await platform.start("go", {"fail": False})
        bad = await platform.start("go", {"fail": True})
        await platform.until(good, Status.COMPLETED)
        await platform.until(bad, Status.FAILED)

        async def heard() -> bool:
            await platform.waits.errands.empty()
            return bool(told)

        await platform.eventually(heard)
        await platform.waits.errands.empty()
        assert told == [("shop/work", bad, "no stock", {"fail": True})]


async def test_events_tell_of_ends_to_whoever_listens(store: Store) -> None:
    app, told = App("shop"), list[tuple[str, str]]()

    @app.function(on=["inngest/function.finished", "inngest/function.cancelled"])
    async def listener(ctx: Context[Any]) -> None:
        told.append((ctx.event.name, ctx.data.get("result")))

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        if ctx.data:
            await ctx.step.sleep("nap", "1d")
        return "done"

    async with harness(store, app) as platform:
        done, gone = await platform.start("go"), await platform.start("go", {"sleep": True})
        await platform.until(done, Status.COMPLETED)
        await platform.until(gone, Status.WAITING)
        await platform.cancel(gone)

        async def heard() -> bool:
            await platform.waits.errands.empty()
            return len(told) == 3

        await platform.eventually(heard)
        for _ in range(3):  # those who listen are not told of their own ends
            await platform.waits.errands.empty()
            await asyncio.sleep(0.01)
        assert sorted(told, key=str) == [
            ("inngest/function.cancelled", None),
            ("inngest/function.finished", "done"),
            ("inngest/function.finished", None),
        ]


async def test_an_end_is_told_to_those_who_began_to_listen_elsewhere(store: Store) -> None:
    app, late, told = App("shop"), App("late"), list[str]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        raise NonRetriable("no stock")

    @late.function(on="inngest/function.failed")
    async def tell(ctx: Context[Any]) -> None:
        told.append(ctx.data["run_id"])

    async with harness(store, app, late) as platform:
        old = platform.registry.snapshot
        # Another process has registered a listener, and this one has not heard of it.
        stale = Snapshot(old.version - 1, {"shop": old.apps["shop"]})
        run = await platform.start("go")
        await platform.until(run, Status.FAILED)
        platform.registry.snapshot = stale

        async def heard() -> bool:
            await platform.waits.errands.empty()
            return bool(told)

        await platform.eventually(heard)
        assert told == [run]
