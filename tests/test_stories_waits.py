"""Stories of runs that wait for events, told on every kind of Redis."""

import asyncio
from collections.abc import AsyncGenerator
from itertools import islice
from typing import Any

import pytest

from stepwell.functions import App, Context, SyncContext, on_event
from stepwell.platform.records import Status
from stepwell.platform.store.store import Store
from stepwell.platform.waits.hearing import Hearing
from stepwell.platform.waits.index import Index
from tests.platform_harness import Harness, harness

HOUR = 3_600_000
DAY = 24 * HOUR


async def waiting(platform: Harness, run: str) -> None:
    """Returns when the run waits, and all that has to be done for that has been done."""
    await platform.until(run, Status.WAITING)
    await platform.waits.errands.empty()


async def test_an_event_that_matches_resumes_the_run_and_others_do_not(store: Store) -> None:
    app = App("shop")

    @app.function(on="order.placed")
    async def fulfil(ctx: Context[Any]) -> Any:
        approval = await ctx.step.wait_for_event("approval", "order.approved", match="data.id", timeout="7d")
        return approval and [approval.name, approval.data, approval.id]

    async with harness(store, app) as platform:
        one = await platform.start("order.placed", {"id": "A"})
        two = await platform.start("order.placed", {"id": "B"})
        await waiting(platform, one)
        await waiting(platform, two)
        assert await platform.send("order.approved", {"id": "C"}) == []
        assert await platform.send("order.rejected", {"id": "A"}) == []
        await platform.waits.errands.empty()
        assert (await platform.run(one)).status is Status.WAITING
        await platform.send("order.approved", {"id": "B", "by": "Ada"})
        name, data, _ = await platform.output(two)
        assert (name, data) == ("order.approved", {"id": "B", "by": "Ada"})
        assert (await platform.run(one)).status is Status.WAITING
        await platform.send("order.approved", {"id": "A"})
        assert (await platform.output(one))[1] == {"id": "A"}


async def test_one_event_resumes_every_run_that_matches(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("open", "shop.opened", timeout="1d")
        return event and event.data["at"]

    async with harness(store, app) as platform:
        runs = [await platform.start("go") for _ in range(80)]
        for run in runs:
            await waiting(platform, run)
        await platform.send("shop.opened", {"at": 9})
        assert [await platform.output(run) for run in runs] == [9] * 80


async def test_an_event_that_came_before_the_wait_was_reached_is_seen_oldest_first(store: Store) -> None:
    app, go_on = App("shop"), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        await ctx.step.run("slow", go_on.wait)
        first = await ctx.step.wait_for_event("said", "said", match="data.id", timeout="1d")
        second = await ctx.step.wait_for_event("said", "said", match="data.id", timeout="1d")
        return [first and first.data["n"], second and second.data["n"]]

    async with harness(store, app) as platform:
        await platform.send("said", {"id": 1, "n": "before the run"})
        platform.clock.advance(1)
        run = await platform.start("go", {"id": 1})
        await platform.until(run, Status.RUNNING)
        await platform.send("said", {"id": 2, "n": "of another"})
        for text in ("first", "second"):
            platform.clock.advance(1)  # in a cluster, nothing more exact than the ms tells what came first
            await platform.send("said", {"id": 1, "n": text})
        go_on.set()
        assert await platform.output(run) == ["first", "second"]


async def test_without_look_back_only_what_comes_counts(store: Store) -> None:
    app, go_on = App("shop"), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        await ctx.step.run("slow", go_on.wait)
        event = await ctx.step.wait_for_event("said", "said", timeout="1d", lookback=False)
        return event and event.data["n"]

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.RUNNING)
        await platform.send("said", {"n": 1})
        platform.clock.advance(1)  # in a cluster, nothing more exact than the ms tells what came first
        go_on.set()
        await waiting(platform, run)
        await platform.send("said", {"n": 2})
        assert await platform.output(run) == 2


async def test_a_wait_ends_without_an_event_when_its_time_is_over_and_not_before(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    def work(ctx: SyncContext[Any]) -> str:
        event = ctx.step.wait_for_event("said", "said", timeout="1h")
        return "nothing" if event is None else "something"

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await waiting(platform, run)
        await platform.advance(HOUR - 1)
        assert (await platform.run(run)).status is Status.WAITING
        await platform.advance(1)
        assert await platform.output(run) == "nothing"
        await platform.send("said")
        await platform.waits.errands.empty()


async def test_conditions_that_no_index_can_answer_are_evaluated(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event(
            "paid", "paid", if_="async.data.id == event.data.id && async.data.sum >= event.data.sum", timeout="1d"
        )
        return event and event.data["sum"]

    async with harness(store, app) as platform:
        run = await platform.start("go", {"id": 1, "sum": 100})
        await waiting(platform, run)
        for id, amount in ((2, 500), (1, 99), (1, 101)):
            await platform.send("paid", {"id": id, "sum": amount})
            await platform.waits.errands.empty()
        assert await platform.output(run) == 101


async def test_an_event_reaches_all_of_very_many_although_others_leave_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("paid", "paid", if_="async.data.sum >= event.data.sum")
        return event and event.data["sum"]

    async with harness(store, app) as platform:
        others = [await platform.start("go", {"sum": 1_000}) for _ in range(70)]
        runs = [await platform.start("go", {"sum": 1}) for _ in range(80)]
        for run in [*others, *runs]:
            await platform.until(run, Status.WAITING)
        await platform.waits.errands.empty()
        scan, leaving = Index.scan, iter(others[:30])

        async def and_some_leave(self: Index, *where: Any) -> tuple[bytes, list[str]]:
            found = await scan(self, *where)
            for run in islice(leaving, 10):
                await platform.cancel(run)
            return found

        monkeypatch.setattr(Index, "scan", and_some_leave)
        await platform.send("paid", {"sum": 5})
        await platform.waits.errands.empty()
        assert [await platform.output(run) for run in runs] == [5] * 80
        assert {(await platform.run(run)).status for run in others[30:]} == {Status.WAITING}


async def test_the_first_of_several_wins_and_the_others_are_void(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        first = await ctx.step.wait_for_any(
            "decision",
            {
                "approved": on_event("approved", match="data.id"),
                "rejected": on_event("rejected", match="data.id"),
                "reminder": "3d",
            },
        )
        return [first.name, first.event and first.event.data]

    async with harness(store, app) as platform:
        one, two, three = [await platform.start("go", {"id": id}) for id in (1, 2, 3)]
        for run in (one, two, three):
            await waiting(platform, run)
        await platform.send("rejected", {"id": 1})
        await platform.send("approved", {"id": 2})
        assert await platform.output(one) == ["rejected", {"id": 1}]
        assert await platform.output(two) == ["approved", {"id": 2}]
        await platform.send("approved", {"id": 1})
        await platform.advance(3 * DAY)
        assert await platform.output(three) == ["reminder", None]


async def test_a_run_that_waits_is_cancelled_at_once_and_leaves_nothing(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await asyncio.gather(
            ctx.step.wait_for_event("one", "one"),
            ctx.step.wait_for_event("two", "two", if_="async.data.n > 3"),
            ctx.step.sleep("nap", "1d"),
        )

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await waiting(platform, run)
        assert await platform.cancel(run) == "CANCELLED"
        await platform.send("one")
        await platform.send("two", {"n": 4})
        await platform.waits.errands.empty()
        assert (await platform.run(run)).status is Status.CANCELLED
        await platform.forget_everything()
        await platform.stop_worker()
        assert await platform.keys_without_owner() == []


async def test_a_wait_for_a_value_that_the_run_does_not_have_fails_it(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.wait_for_event("approval", "approved", match="data.id")

    async with harness(store, app) as platform:
        run = await platform.start("go", {"number": 1})
        assert (await platform.error(run))["message"] == (
            "shop/work: step 'approval': the event that started this run has no data.id, so no 'approved' could match"
        )


async def test_an_event_comes_while_the_run_is_busy_with_something_else(store: Store) -> None:
    app, go_on = App("shop"), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event, _ = await asyncio.gather(ctx.step.wait_for_event("said", "said"), ctx.step.run("slow", go_on.wait))
        return event and event.data

    async with harness(store, app) as platform:
        run = await platform.start("go")

        async def listed() -> bool:
            return "said" in await platform.steps(run)

        await platform.eventually(listed)
        await platform.send("said", {"n": 1})
        await platform.waits.errands.empty()
        go_on.set()
        assert await platform.output(run) == {"n": 1}


@pytest.fixture
async def asleep(store: Store) -> AsyncGenerator[tuple[Harness, str]]:
    """A run that waits for an event, and no worker."""
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        event = await ctx.step.wait_for_event("said", "said", timeout="1h")
        return "nothing" if event is None else "something"

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await waiting(platform, run)
        await platform.stop_worker()
        yield platform, run


@pytest.mark.parametrize("order", ["event timeout", "timeout event", "event cancel", "cancel event", "timeout cancel"])
async def test_of_event_timeout_and_cancel_the_first_wins(asleep: tuple[Harness, str], order: str) -> None:
    platform, run = asleep
    for what in order.split():
        if what == "event":
            await platform.send("said")
            await platform.waits.errands.empty()
        elif what == "timeout":
            platform.clock.advance(HOUR)
            await platform.scheduler.tick()
        else:
            await platform.cancel(run)
    await platform.start_worker()
    match order:
        case "event timeout":
            assert await platform.output(run) == "something"
        case "timeout event":
            assert await platform.output(run) == "nothing"
        case _:
            await platform.until(run, Status.CANCELLED)


def deep(levels: int) -> Any:
    """An object of so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


async def test_an_event_as_deep_as_one_may_be_is_given_to_those_who_wait(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        return (await ctx.step.wait_for_any("any", {"said": on_event("said")})).name

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await waiting(platform, run)
        platform.clock.advance(1)
        await platform.send("said", deep(249))
        assert await platform.output(run) == "said"


async def test_what_cannot_be_handled_about_one_event_keeps_no_other_from_those_who_wait(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("said", "said", match="data.id")
        return event and event.data["id"]

    offer = Hearing._offer  # pyright: ignore[reportPrivateUsage]

    async def broken(self: Hearing, heard: Any) -> None:
        if any(one.event.data["id"] == 1 for one in heard):
            raise ValueError("a bug")
        await offer(self, heard)

    monkeypatch.setattr(Hearing, "_offer", broken)
    async with harness(store, app) as platform:
        run = await platform.start("go", {"id": 2})
        await waiting(platform, run)
        platform.clock.advance(1)
        await platform.send("said", {"id": 1})
        await platform.send("said", {"id": 2})
        assert await platform.output(run) == 2


async def test_a_wait_beyond_all_times_is_refused_and_harms_no_other(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep_until("far", "9999-12-31T00:00:00+00:00")

    async with harness(store, app) as platform:
        run = await platform.start("go")
        assert "before the year 2200" in (await platform.error(run))["message"]
