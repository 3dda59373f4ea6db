"""The test platform: how it knows that nothing more will happen, and what it says when it never does."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from stepwell.functions import App, Context, SyncContext
from stepwell.platform.testing import TestPlatform, Unsettled, settling, timeline


async def test_a_body_that_does_something_real_is_waited_for() -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        async def body() -> str:
            await asyncio.sleep(0.05)
            return "done"

        return await ctx.step.run("slow", body)

    @app.function(on="go")
    def plain(ctx: SyncContext[Any]) -> None:
        ctx.step.run("slow", time.sleep, 0.05)

    async with TestPlatform(app) as platform:
        (await platform.send_and_wait("go", function="shop/work")).completed()
        assert {run.status for run in await platform.runs()} == {"completed"}


async def test_a_body_that_hangs_is_named() -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await asyncio.gather(ctx.step.run("fine", str), ctx.step.run("call", asyncio.Event().wait))

    async with TestPlatform(app, patience=0.1) as platform:
        sent = await platform.send("go")
        with pytest.raises(Unsettled) as caught:
            await platform.settle()
        [run] = await platform.runs(event=sent)
        assert str(caught.value) == (
            f"nothing went on for 0.1 s of real time. Run {run.id} of shop/work is still in step 'call'. Replace what "
            "it waits for by something that ends in a test, or give TestPlatform more patience="
        )
        with pytest.raises(Unsettled, match=r"in step 'call'"):
            await platform.advance("1h")
        (await platform.cancel(run.id)).cancelled()


async def test_a_handler_that_hangs_outside_its_steps_is_named() -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.run("fine", str)
        await asyncio.Event().wait()

    async with TestPlatform(app, patience=0.1) as platform:
        with pytest.raises(Unsettled, match=r"of shop/work is still in its handler, outside steps"):
            await platform.send_and_wait("go")


async def test_runs_that_start_each_other_without_end_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "MOST_EXECUTIONS", 20)
    app = App("echo")

    @app.function(on="ping")
    async def ping(ctx: Context[Any]) -> None:
        await ctx.step.send("again", {"name": "ping"})

    async with TestPlatform(app) as platform:
        await platform.send("ping")
        with pytest.raises(Unsettled, match=r"runs go on without end: more than 20 executions"):
            await platform.settle()


async def test_a_run_that_wakes_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST_STOPS", 5)
    app = App("clock")

    @app.function(on="go")
    async def tick(ctx: Context[Any]) -> None:
        while True:
            await ctx.step.sleep("tick", "1s")

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("go")
        with pytest.raises(
            Unsettled, match=rf"5 timers .* than 2026-01-01 00:00:05\+00:00, the last one of run {run.id}"
        ):
            await platform.advance("1d")


async def test_nothing_to_do_is_settled_at_once() -> None:
    app = App("idle")
    async with TestPlatform(app) as platform:
        began = time.monotonic()
        await platform.settle()
        await platform.advance("365d")
        assert time.monotonic() - began < 1
        assert await platform.runs() == []


@pytest.mark.slow
async def test_a_thousand_runs_settle_and_wake_in_their_order() -> None:
    app, woken = App("shop"), list[int]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.sleep("wait", ctx.data["n"] % 100 + 1)
        await ctx.step.run("wake", woken.append, ctx.data["n"] % 100)

    async with TestPlatform(app) as platform:
        await asyncio.gather(*[platform.send("go", {"n": number}) for number in range(1000)])
        await platform.settle()
        await platform.advance("100s")
        assert woken == sorted(woken)
        assert [run.status for run in await platform.runs()] == ["completed"] * 1000
