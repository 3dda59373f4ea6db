"""The test platform: steps that fail and workers that die when a test says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stepwell.functions import App, Context, StepFailed, SyncContext
from stepwell.platform.testing import TestPlatform


class Shop:
    """An app whose bodies are counted."""

    def __init__(self) -> None:
        self.app = App("shop")
        self.calls: list[str] = []
        self.app.function(on="order.placed")(self.fulfil)
        self.app.function(on="order.placed.plainly")(self.plain)
        self.app.function(on="order.shipped", id="thank")(self.thank)

    async def body(self, name: str) -> str:
        self.calls.append(name)
        return name

    def plain_body(self, name: str) -> str:
        self.calls.append(name)
        return name

    async def fulfil(self, ctx: Context[Any]) -> list[str]:
        receipt = await ctx.step.run("charge", self.body, "charge")
        await ctx.step.sleep("cool-off", "5m")
        both = await asyncio.gather(ctx.step.run("pack", self.body, "pack"), ctx.step.run("label", self.body, "label"))
        await ctx.step.send("tell", {"name": "order.shipped"})
        return [receipt, *both]

    def plain(self, ctx: SyncContext[Any]) -> list[str]:
        receipt = ctx.step.run("charge", self.plain_body, "charge")
        return [receipt, ctx.step.run("ship", self.plain_body, "ship")]

    async def thank(self, ctx: Context[Any]) -> str:
        return await ctx.step.run("charge", self.body, "thanks")


ALL = ["charge", "pack", "label"]


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_the_next_attempts_of_a_step_fail_without_its_body(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.fail("charge", times=2, error=TimeoutError("no answer"), function="shop/fulfil")
        run = await platform.send_and_wait("order.placed")
        run.waiting("charge")
        error = run.steps["charge"].error
        assert error
        assert (error.type, error.message, shop.calls) == ("TimeoutError", "no answer", [])
        await platform.advance("1h")
        run = await platform.run(run.id)
        assert run.completed() == ALL
        assert run.steps["charge"].attempts == 3
        assert shop.calls == [*ALL, "thanks"]
        [thanks] = await platform.runs("shop/thank")
        assert thanks.steps["charge"].attempts == 1


async def test_a_step_that_fails_for_good_fails_its_run(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.fail("ship", times=5, error=ConnectionError)
        platform.fail("ship")
        run = await platform.send_and_wait("order.placed.plainly")
        await platform.advance("1h")
        run = await platform.run(run.id)
        assert run.failed("ConnectionError").type == "StepFailed"
        run.failed("StepFailed")
        assert shop.calls == ["charge"]
        run = await platform.send_and_wait("order.placed.plainly")
        error = run.steps["ship"].error
        assert error
        assert (error.type, error.message) == ("RuntimeError", "step 'ship' was made to fail by the test")


async def test_what_a_handler_does_about_a_failure_can_be_tested() -> None:
    app = App("shop")

    @app.function(on="go", retries=0)
    async def work(ctx: Context[Any]) -> str:
        try:
            return await ctx.step.run("label", str)
        except StepFailed as failure:
            return f"refunded after {failure.type}"

    async with TestPlatform(app) as platform:
        platform.fail("label", error=OSError("gone"))
        assert (await platform.send_and_wait("go")).completed() == "refunded after OSError"


async def test_after_a_recorded_step_a_new_worker_goes_on_and_does_not_repeat_it(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(after="charge", function="shop/fulfil")
        run = await platform.send_and_wait("order.placed")
        run.waiting("cool-off")
        assert shop.calls == ["charge"]
        await platform.advance("5m")
        assert (await platform.run(run.id)).completed() == ALL
        assert shop.calls == [*ALL, "thanks"]


async def test_a_body_whose_outcome_was_not_recorded_runs_again(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(before="charge", function="shop/fulfil")
        run = await platform.send_and_wait("order.placed")
        assert shop.calls == ["charge", "charge"]
        assert run.steps["charge"].attempts == 1
        await platform.advance("5m")
        assert (await platform.run(run.id)).completed() == ALL


@pytest.mark.parametrize(("moment", "calls"), [("before", ["charge", "charge", "ship"]), ("after", ["charge", "ship"])])
async def test_so_do_plain_def_handlers(shop: Shop, moment: str, calls: list[str]) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(**{moment: "charge"})  # type: ignore[arg-type]
        run = await platform.send_and_wait("order.placed.plainly")
        assert run.completed() == ["charge", "ship"]
        assert shop.calls == calls


async def test_a_sleep_survives_the_death_of_its_worker_and_ends_when_it_would_have(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(before="cool-off")
        platform.crash(after="cool-off")
        begun = platform.now
        run = await platform.send_and_wait("order.placed")
        wakes = run.waiting("cool-off")
        assert wakes is not None
        await platform.advance("299s")
        (await platform.run(run.id)).waiting("cool-off")
        await platform.advance("1s")
        assert (await platform.run(run.id)).completed() == ALL
        assert (wakes - begun).total_seconds() == 300


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_events_are_sent_once_although_the_worker_dies(shop: Shop, moment: str) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(**{moment: "tell"})  # type: ignore[arg-type]
        run = await platform.send_and_wait("order.placed")
        await platform.advance("5m")
        (await platform.run(run.id)).completed()
        assert len(await platform.events("order.shipped")) == 1
        assert len(await platform.runs("shop/thank")) == 1


async def test_in_branches_only_what_was_not_recorded_runs_again(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(after="pack")
        run = await platform.send_and_wait("order.placed")
        await platform.advance("5m")
        assert (await platform.run(run.id)).completed() == ALL
        assert shop.calls.count("pack") == 1


async def test_other_runs_of_the_dead_worker_go_on_too(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(after="charge")
        await asyncio.gather(*[platform.send("order.placed") for _ in range(20)])
        await platform.settle()
        assert [run.status for run in await platform.runs()] == ["waiting"] * 20
        await platform.advance("5m")
        assert [run.completed() for run in await platform.runs("shop/fulfil")] == [ALL] * 20


async def test_a_run_that_keeps_killing_its_worker_is_a_suspect_and_then_fails(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        platform.crash(before="ship", times=3)
        run = await platform.send_and_wait("order.placed.plainly")
        assert run.completed() == ["charge", "ship"]
        assert shop.calls == ["charge", *["ship"] * 4]

        platform.crash(before="ship", times=4)
        run = await platform.send_and_wait("order.placed.plainly")
        assert "died 4 times in a row" in run.failed("Crashed").message
        (await platform.send_and_wait("order.placed.plainly")).completed()


async def test_a_cleanup_of_the_dead_worker_records_nothing() -> None:
    app, seen = App("shop"), list[str]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        try:
            await ctx.step.run("one", str)
            return await ctx.step.run("two", str)
        finally:
            seen.append("left")
            if len(seen) == 1:
                await ctx.step.run("cleanup", str)

    async with TestPlatform(app) as platform:
        platform.crash(after="one")
        run = await platform.send_and_wait("go")
        run.completed()
        assert list(run.steps) == ["one", "two"]
        assert seen == ["left", "left"]


async def test_what_never_happened_is_an_error_that_names_the_steps_there_were(shop: Shop) -> None:
    async def slip() -> None:
        async with TestPlatform(shop.app) as platform:
            platform.fail("chrage")
            await platform.send_and_wait("order.placed")

    with pytest.raises(AssertionError, match=r"fail\('chrage'\) never happened: .* steps were: 'charge', 'cool-off'"):
        await slip()


async def test_so_is_a_crash_when_there_were_no_steps(shop: Shop) -> None:
    async def slip() -> None:
        async with TestPlatform(shop.app) as platform:
            platform.crash(after="charge")

    with pytest.raises(AssertionError, match=r"crash\(after='charge'\) never happened: .* steps were: none"):
        await slip()


async def test_it_does_not_hide_what_the_test_found(shop: Shop) -> None:
    async def test() -> None:
        async with TestPlatform(shop.app) as platform:
            platform.fail("never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await test()


async def test_what_cannot_be_planned_is_refused(shop: Shop) -> None:
    async with TestPlatform(shop.app) as platform:
        with pytest.raises(TypeError, match=r"either before= or after="):
            platform.crash()
        with pytest.raises(TypeError, match=r"either before= or after="):
            platform.crash(before="charge", after="charge")
        with pytest.raises(ValueError, match=r"fail\('charge'\): times is a whole number from 1 on, not 0"):
            platform.fail("charge", times=0)
        with pytest.raises(LookupError, match=r"no function 'shop/ship'"):
            platform.fail("charge", function="shop/ship")
        text: Any = "broken"
        with pytest.raises(TypeError, match=r"error is an exception, not 'broken'"):
            platform.fail("charge", error=text)


async def test_events_without_an_id_worth_the_name_are_sent_once_too() -> None:
    app = App("shop")

    @app.function(on="order.placed")
    async def fulfil(ctx: Context[Any]) -> list[str]:
        return await ctx.step.send("tell", {"name": "order.shipped", "id": ""})

    async with TestPlatform(app) as platform:
        platform.crash(before="tell")
        run = await platform.send_and_wait("order.placed")
        assert [event.id for event in await platform.events("order.shipped")] == run.completed()


async def test_an_event_that_cannot_be_written_fails_its_run_at_once() -> None:
    app = App("shop")

    @app.function(on="order.placed")
    async def fulfil(ctx: Context[Any]) -> list[str]:
        return await ctx.step.send("tell", {"name": "order.shipped", "data": {"note": "\ud800"}})

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("order.placed")
        assert "step 'tell' cannot send this: str is not valid UTF-8" in run.failed("NonRetriable").message
