"""The test platform: what may be asserted of a run, and what is said when it is not so."""

from __future__ import annotations

from typing import Any

import pytest

from stepwell.functions import App, Context
from stepwell.platform.testing import TestPlatform, TestRun


async def run_of(data: dict[str, Any]) -> TestRun:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> dict[str, int]:
        await ctx.step.run("charge", lambda: {"paid": 40})
        if "sleep" in ctx.data:
            await ctx.step.sleep("cool-off", ctx.data["sleep"])
        await ctx.step.options(retries=ctx.data.get("retries", 4)).run("ship", ship, ctx.data.get("lost", False))
        return {"shipped": 1}

    def ship(lost: bool) -> None:
        if lost:
            raise ConnectionError("the carrier is gone")

    async with TestPlatform(app) as platform:
        return await platform.send_and_wait("go", data)


def said(about: pytest.ExceptionInfo[AssertionError], run: TestRun) -> str:
    return str(about.value).replace(run.id, "RUN")


async def test_a_completed_run_that_should_have_failed() -> None:
    run = await run_of({})
    assert run.completed() == {"shipped": 1}
    with pytest.raises(AssertionError) as caught:
        run.failed()
    assert said(caught, run) == (
        "the run should be failed, but:\n"
        "run RUN of shop/work is completed: {'shipped': 1}\n"
        "  charge  run    completed  {'paid': 40}\n"
        "  ship    run    completed"
    )


async def test_a_failed_run_that_should_have_completed() -> None:
    run = await run_of({"lost": True, "retries": 0})
    assert run.failed().message.startswith("step 'ship' failed after 1 attempt")
    assert run.failed("ConnectionError") == run.failed("StepFailed") == run.error
    with pytest.raises(AssertionError) as caught:
        run.completed()
    assert said(caught, run) == (
        "the run should be completed, but:\n"
        "run RUN of shop/work is failed: StepFailed: step 'ship' failed after 1 attempt: ConnectionError: the carrier "
        "is gone\n"
        "  charge  run    completed  {'paid': 40}\n"
        "  ship    run    failed     ConnectionError: the carrier is gone"
    )
    with pytest.raises(AssertionError, match=r"^the run should be failed by TimeoutError, but:\nrun "):
        run.failed("TimeoutError")
    with pytest.raises(AssertionError, match=r"^the run should be cancelled, but:\nrun "):
        run.cancelled()


async def test_a_waiting_run_that_should_wait_elsewhere() -> None:
    run = await run_of({"sleep": "5m"})
    assert run.waiting() == run.waiting("cool-off") == run.wakes_at
    with pytest.raises(AssertionError) as caught:
        run.waiting("charge")
    assert said(caught, run) == (
        "the run should be waiting in step 'charge', but:\n"
        "run RUN of shop/work is waiting until 2026-01-01 00:05:00+00:00\n"
        "  charge    run    completed  {'paid': 40}\n"
        "  cool-off  sleep  waiting    until 2026-01-01 00:05:00+00:00"
    )


async def test_a_run_that_is_to_try_again() -> None:
    run = await run_of({"lost": True})
    with pytest.raises(AssertionError, match=r"  ship    run    retrying   until 2026-.* ConnectionError: the carrier"):
        run.completed()


async def test_a_run_without_steps() -> None:
    app = App("shop")

    @app.function(on="go", retries=0)
    async def work(ctx: Context[Any]) -> None:
        raise ZeroDivisionError

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("go")
    assert str(run).endswith("of shop/work is failed: ZeroDivisionError: \n  it has no steps yet")


async def test_what_a_run_says_and_how_far_it_has_come() -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        def ship() -> None:
            for number in range(150):
                print("parcel", number)  # noqa: T201
            ctx.progress(0.5, "half of it")

        ctx.log.info("begins", extra={"order": "A-1"})
        await ctx.step.run("ship", ship)
        await ctx.step.sleep("rest", "1h")
        ctx.log.debug("of no interest")
        ctx.progress(1)

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("go")
        first, *parcels = run.logs
        assert (first.message, first.fields, first.level, first.step) == ("begins", {"order": "A-1"}, "info", None)
        assert [(line.message, line.level, line.step) for line in parcels[-1:]] == [("parcel 149", "print", "ship")]
        assert [line.number for line in run.logs] == list(range(1, 152))
        assert run.progress == run.steps["ship"].progress
        assert run.progress
        assert (run.progress.value, run.progress.text, run.progress.step) == (0.5, "half of it", "ship")
        await platform.advance("1h")
        run = await platform.run(run.id)
        assert run.progress
        assert (run.progress.value, run.progress.step) == (1, None)
        assert len(run.logs) == 151
