"""The test platform: events, runs and time, as users' own tests see them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from stepwell.functions import App, Concurrency, Context, Event, RateLimit, RetryAfter, Singleton, SyncContext, cron
from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.incoming import BadEvent
from stepwell.platform.settings import Settings
from stepwell.platform.steering.refusals import NotSteered
from stepwell.platform.testing import TestPlatform, Unsettled

MINUTES = timedelta(minutes=1)


class Order(BaseModel):
    id: str


def shop(calls: list[str] | None = None) -> App:
    app, called = App("shop"), [] if calls is None else calls

    def charge(order: str) -> str:
        called.append("charge")
        return f"receipt {order}"

    async def ship() -> str:
        called.append("ship")
        return "shipped"

    @app.function(on="order.placed")
    async def fulfil(ctx: Context[Order]) -> list[str]:
        receipt = await ctx.step.run("charge", charge, ctx.data.id)
        await ctx.step.sleep("cool-off", "5m")
        return [receipt, await ctx.step.run("ship", ship)]

    return app


async def test_a_run_goes_on_until_only_time_can_help_it_on() -> None:
    calls = list[str]()
    async with TestPlatform(shop(calls)) as platform:
        run = await platform.send_and_wait("order.placed", {"id": "o-1"})
        assert (run.status, run.function, run.event_name, calls) == (
            "waiting",
            "shop/fulfil",
            "order.placed",
            ["charge"],
        )
        assert list(run.steps) == ["charge", "cool-off"]
        charge, cool_off = run.steps.values()
        assert (charge.kind, charge.status, charge.attempts) == ("run", "completed", 1)
        assert (charge.output, charge.error, charge.started_at) == ("receipt o-1", None, platform.now)
        assert (cool_off.kind, cool_off.status, cool_off.ended_at) == ("sleep", "waiting", None)
        assert cool_off.wakes_at == run.wakes_at == run.waiting("cool-off") == platform.now + 5 * MINUTES

        await platform.advance("4m59s999ms")
        assert (await platform.run(run.id)).status == "waiting"
        await platform.advance("1ms")
        run = await platform.run(run.id)
        assert run.completed() == ["receipt o-1", "shipped"]
        assert (run.ended_at, run.started_at) == (platform.now, platform.now - 5 * MINUTES)
        assert calls == ["charge", "ship"]


async def test_time_goes_from_timer_to_timer_in_order() -> None:
    app, woken = App("clock"), list[tuple[str, datetime]]()

    @app.function(on="go")
    async def nap(ctx: Context[Any]) -> None:
        for _ in range(3):
            await ctx.step.sleep("nap", ctx.data["length"])
            await ctx.step.run("wake", wake, ctx.data["length"])

    def wake(length: str) -> None:
        woken.append((length, platform.now))

    start = datetime(2030, 6, 1, tzinfo=UTC)
    async with TestPlatform(app, start=start) as platform:
        for length in ("10h", "4h"):
            await platform.send_and_wait("go", {"length": length})
        await platform.advance(timedelta(hours=25))
        hours = [(length, (at - start) / timedelta(hours=1)) for length, at in woken]
        assert hours == [("4h", 4), ("4h", 8), ("10h", 10), ("4h", 12), ("10h", 20)]
        assert platform.now == start + timedelta(hours=25)
        assert [run.status for run in await platform.runs("clock/nap")] == ["waiting", "completed"]
        await platform.advance("5h")
        assert {run.status for run in await platform.runs()} == {"completed"}


async def test_thirty_days_pass_in_less_than_a_second() -> None:
    app = App("trial")

    @app.function(on="trial.started")
    async def remind(ctx: Context[Any]) -> str:
        for _ in range(30):
            await ctx.step.sleep("a day", "1d")
        return "over"

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("trial.started")
        began = time.monotonic()
        await platform.advance("30d")
        assert time.monotonic() - began < 5  # some 0.3 s; machines that test are busy
        assert (await platform.run(run.id)).completed() == "over"


async def test_many_small_steps_of_time_kill_no_worker() -> None:
    async with TestPlatform(shop()) as platform:
        for _ in range(40):
            await platform.advance("1s")
        run = await platform.send_and_wait("order.placed", {"id": "o-1"})
        for _ in range(301):
            await platform.advance(1)
        (await platform.run(run.id)).completed()


async def test_retries_follow_when_their_delay_has_passed() -> None:
    app, tries = App("shop"), list[datetime]()

    def body() -> int:
        tries.append(platform.now)
        if len(tries) == 1:
            raise ConnectionError("refused")
        if len(tries) == 2:
            raise RetryAfter("1h")
        return len(tries)

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> int:
        return await ctx.step.run("call", body)

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("go")
        step = run.steps["call"]
        assert step.error
        assert (step.status, step.attempts, step.error.type, step.error.message) == (
            "retrying",
            1,
            "ConnectionError",
            "refused",
        )
        assert run.waiting("call") == step.wakes_at
        await platform.advance("2h")
        assert (await platform.run(run.id)).completed() == 3
        assert tries[2] - tries[1] == timedelta(hours=1)


async def test_a_retry_without_delay_needs_no_time() -> None:
    app, tries = App("shop"), list[int]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> int:
        tries.append(1)
        if len(tries) < 3:
            raise RetryAfter(0)
        return len(tries)

    async with TestPlatform(app) as platform:
        assert (await platform.send_and_wait("go")).completed() == 3


async def test_a_handler_that_fails_outside_its_steps_tells_when_it_is_tried_again() -> None:
    app = App("shop")

    @app.function(on="go", retries=1)
    async def work(ctx: Context[Any]) -> None:
        raise ZeroDivisionError("outside")

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("go")
        assert run.attempt == 1
        wakes = run.waiting()
        assert wakes is not None
        await platform.advance(wakes - platform.now)
        assert (await platform.run(run.id)).failed("ZeroDivisionError").message == "outside"


async def test_plain_def_handlers_run_in_threads() -> None:
    app, threads = App("sync"), set[str]()

    def body(name: str) -> str:
        threads.add(threading.current_thread().name)
        return name

    @app.function(on="go")
    def work(ctx: SyncContext[Any]) -> list[str]:
        pair = ctx.step.parallel(lambda: ctx.step.run("a", body, "a"), lambda: ctx.step.run("b", body, "b"))
        ctx.step.sleep("rest", "1h")
        return [*pair, ctx.step.run("c", body, "c")]

    async with TestPlatform(app) as platform:
        run = await platform.send_and_wait("go")
        run.waiting("rest")
        await platform.advance("1h")
        assert (await platform.run(run.id)).completed() == ["a", "b", "c"]
        assert threading.current_thread().name not in threads


async def test_functions_of_several_apps_start_each_other() -> None:
    front, back = App("front"), App("back")

    @front.function(on="asked")
    async def ask(ctx: Context[Any]) -> int:
        [sent] = await ctx.step.send("pass on", Event("question", {"of": ctx.event.id}))
        return len(sent)

    @back.function(on="question")
    async def answer(ctx: Context[Any]) -> str:
        await ctx.step.sleep("think", "1m")
        await ctx.step.send("answer", {"name": "answered", "data": {"n": 42}})
        return "sent"

    @front.function(on="answered")
    def note(ctx: SyncContext[Any]) -> int:
        return int(ctx.data["n"])

    async with TestPlatform(front, back) as platform:
        asked = await platform.send("asked")
        await platform.settle()
        assert [run.function for run in await platform.runs()] == ["front/ask", "back/answer"]
        [run] = await platform.runs(event=asked)
        assert (run.function, run.status) == ("front/ask", "completed")
        await platform.advance("1m")
        assert [(run.function, run.status) for run in await platform.runs()] == [
            ("front/ask", "completed"),
            ("back/answer", "completed"),
            ("front/note", "completed"),
        ]
        assert [run.completed() for run in await platform.runs("front/note")] == [42]
        assert [event.name for event in await platform.events()] == ["asked", "question", "answered"]
        [answered] = await platform.events("answered")
        assert answered.data == {"n": 42}


async def test_runs_over_a_limit_wait_for_each_other_and_all_settle() -> None:
    app, at_once, most = App("shop"), [0], [0]

    async def body() -> None:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        await asyncio.sleep(0.001)
        at_once[0] -= 1

    @app.function(on="go", concurrency=Concurrency(2))
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.run("work", body)

    async with TestPlatform(app) as platform:
        await asyncio.gather(*[platform.send("go") for _ in range(9)])
        await platform.settle()
        runs = await platform.runs("shop/work")
        assert [run.status for run in runs] == ["completed"] * 9
        assert most == [2]


async def test_a_run_is_cancelled_while_it_sleeps() -> None:
    calls = list[str]()
    async with TestPlatform(shop(calls)) as platform:
        run = await platform.send_and_wait("order.placed", {"id": "o-1"})
        run = await platform.cancel(run.id)
        run.cancelled()
        assert run.steps["cool-off"].status == "waiting"
        await platform.advance("1d")
        (await platform.run(run.id)).cancelled()
        assert (await platform.cancel(run.id)).status == "cancelled"
        assert calls == ["charge"]


async def test_a_run_is_cancelled_in_the_middle_of_a_body() -> None:
    app, began = App("shop"), asyncio.Event()

    async def body() -> None:
        began.set()
        await asyncio.Event().wait()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.run("body", body)

    async with TestPlatform(app) as platform:
        sent = await platform.send("go")
        await began.wait()
        [run] = await platform.runs(event=sent)
        assert run.status == "running"
        assert "(it was not waited for: `await platform.settle()`)" in str(run)
        (await platform.cancel(run.id)).cancelled()


async def test_an_event_of_the_future_starts_its_run_then() -> None:
    async with TestPlatform(shop()) as platform:
        due = platform.now + timedelta(hours=1)
        run = await platform.send_and_wait("order.placed", {"id": "o-1"}, ts=int(due.timestamp() * 1000))
        assert (run.status, run.wakes_at) == ("queued", due)
        await platform.advance("1h")
        assert (await platform.run(run.id)).status == "waiting"


async def test_an_event_may_be_a_model_or_an_event_and_is_known_by_its_id() -> None:
    async with TestPlatform(shop()) as platform:
        run = await platform.send_and_wait(Event("order.placed", Order(id="o-1"), id="once"))
        again = await platform.send_and_wait("order.placed", Order(id="o-2"), id="once")
        assert (again.id, again.event_id) == (run.id, run.event_id)
        await platform.advance("3d")
        later = await platform.send_and_wait("order.placed", Order(id="o-3"), id="once")
        assert later.id != run.id


async def test_settings_are_those_given_and_none_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_MAX_STEPS", "1")
    async with TestPlatform(shop()) as platform:
        (await platform.send_and_wait("order.placed", {"id": "o-1"})).waiting()
    async with TestPlatform(shop(), settings=Settings(max_steps=1)) as platform:
        run = await platform.send_and_wait("order.placed", {"id": "o-1"})
        assert "STEPWELL_MAX_STEPS" in run.failed("LimitExceeded").message


async def test_which_run_is_wanted_has_to_be_said_when_there_are_several() -> None:
    app = shop()

    @app.function(on="order.*")
    async def audit(ctx: Context[Any]) -> str:
        return ctx.event.name

    async with TestPlatform(app) as platform:
        with pytest.raises(LookupError, match=r"started 2 runs: say function= .*: shop/audit, shop/fulfil"):
            await platform.send_and_wait("order.placed", {"id": "o-1"})
        run = await platform.send_and_wait("order.placed", {"id": "o-1"}, function="shop/audit")
        assert run.completed() == "order.placed"
        with pytest.raises(LookupError, match=r"no run at all; the functions are: shop/audit, shop/fulfil"):
            await platform.send_and_wait("nothing")
        with pytest.raises(LookupError, match=r"started no run of shop/fulfil"):
            await platform.send_and_wait("order.gone", function="shop/fulfil")


async def test_mistakes_are_named() -> None:
    app = shop()
    async with TestPlatform(app) as platform:
        with pytest.raises(LookupError, match=r"no function 'fulfil'; the functions are: shop/fulfil"):
            await platform.runs("fulfil")
        with pytest.raises(LookupError, match=r"no run 'o-1'"):
            await platform.run("o-1")
        with pytest.raises(LookupError, match=r"no run 'o-1'"):
            await platform.cancel("o-1")
        with pytest.raises(LookupError, match=r"no event 'o-1'"):
            await platform.runs(event="o-1")
        with pytest.raises(TypeError, match=r"give them to Event"):
            await platform.send(Event("order.placed"), {"id": "o-1"})
        with pytest.raises(BadEvent, match=r"kept for the platform's own"):
            await platform.send("inngest/mine")
        with pytest.raises(ValueError, match=r"'soon' is not a duration"):
            await platform.advance("soon")
    with pytest.raises(RuntimeError, match=r"use `async with TestPlatform\(app\) as platform`"):
        await platform.settle()
    with pytest.raises(TypeError, match=r"takes the apps to serve"):
        TestPlatform()
    with pytest.raises(ValueError, match=r"the same id: shop, shop"):
        TestPlatform(app, App("shop"))
    stranger: Any = "shop"
    with pytest.raises(TypeError, match=r"takes apps, not 'shop'"):
        TestPlatform(stranger)


async def test_without_fakeredis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fakeredis", None)
    with pytest.raises(StoreMisconfigured, match=r"needs the package fakeredis\. .*stepwell\[testing\]"):
        async with TestPlatform(shop()):
            pass


async def test_it_may_be_opened_in_one_task_and_closed_in_another() -> None:
    """As fixtures of some plugins are."""
    opening = TestPlatform(shop())
    platform = await asyncio.create_task(opening.__aenter__())
    (await platform.send_and_wait("order.placed", {"id": "o-1"})).waiting()
    await asyncio.create_task(opening.__aexit__(None, None, None))


def test_it_works_in_a_plain_asyncio_run() -> None:
    async def main() -> str:
        async with TestPlatform(shop()) as platform:
            run = await platform.send_and_wait("order.placed", {"id": "o-1"})
            await platform.advance("1d")
            return str((await platform.run(run.id)).completed())

    assert asyncio.run(main()) == "['receipt o-1', 'shipped']"


async def test_two_platforms_at_once_know_nothing_of_each_other() -> None:
    app = shop()
    async with TestPlatform(app) as one, TestPlatform(app) as other:
        await one.advance("1h")
        await one.send_and_wait("order.placed", {"id": "o-1"})
        assert await other.runs() == []
        assert one.now - other.now == timedelta(hours=1)


async def test_functions_run_by_the_clock_as_time_goes_on() -> None:
    app = App("shop")

    @app.function(on=cron("0 9 * * mon-fri", tz="Europe/Berlin"))
    async def digest(ctx: Context[Any]) -> str:
        await ctx.step.sleep("a while", "1h")
        return f"{datetime.fromtimestamp(ctx.event.ts / 1000, UTC):%a %H:%M}"

    async with TestPlatform(app, start=datetime(2026, 3, 27, tzinfo=UTC)) as platform:
        await platform.advance("7d")
        runs = await platform.runs("shop/digest")
        assert [run.completed() for run in runs] == ["Fri 08:00", "Mon 07:00", "Tue 07:00", "Wed 07:00", "Thu 07:00"]
        assert {run.event_name for run in runs} == {"inngest/scheduled.timer"}
        assert await platform.events() == []


async def test_times_that_wait_for_the_run_before_follow_when_it_ends() -> None:
    app = App("shop")

    @app.function(on=cron("@hourly", overlap="queue"))
    async def tidy(ctx: Context[Any]) -> None:
        await ctx.step.sleep("long", "2h")

    async with TestPlatform(app) as platform:
        await platform.advance("6h")
        runs = await platform.runs()
        assert [run.status for run in runs] == ["completed", "completed", "waiting"]
        assert [run.created_at and run.created_at.hour for run in runs] == [1, 2, 3]
        assert [run.started_at and run.started_at.hour for run in runs] == [1, 3, 5]


async def test_a_schedule_that_fires_without_end_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.platform.testing.timeline.MOST_STOPS", 10)
    app = App("shop")

    @app.function(on=cron("* * * * *"))
    async def tidy(_: Context[Any]) -> None: ...

    async with TestPlatform(app) as platform:
        with pytest.raises(Unsettled, match="the last one of schedule shop/tidy/"):
            await platform.advance("1h")


async def test_a_function_is_invoked_by_hand() -> None:
    app = App("shop")

    @app.function(on=cron("0 3 * * *"), singleton=Singleton())
    async def tidy(ctx: Context[Any]) -> Any:
        await ctx.step.sleep("rest", "1h")
        return ctx.data

    async with TestPlatform(app) as platform:
        run = await platform.invoke("shop/tidy", Order(id="o-1"))
        run.waiting("rest")
        with pytest.raises(NotSteered, match="another run of its singleton key had not ended"):
            await platform.invoke("shop/tidy")
        await platform.advance("1h")
        assert (await platform.run(run.id)).completed() == {"id": "o-1"}
        with pytest.raises(NotSteered, match="no function 'shop/none' is registered"):
            await platform.invoke("shop/none")


async def test_runs_are_steered_as_by_hand() -> None:
    calls = list[str]()
    async with TestPlatform(shop(calls)) as platform:
        run = await platform.send_and_wait("order.placed", {"id": "o-1"})
        run = await platform.wake(run.id, "cool-off")
        assert run.completed() == ["receipt o-1", "shipped"]
        again = await platform.rerun(run.id, data=Order(id="o-2"))
        assert again.rerun_of == run.id
        assert (await platform.wake(again.id, "cool-off")).completed() == ["receipt o-2", "shipped"]
        kept = await platform.rerun(run.id, from_step="cool-off")
        kept.waiting("cool-off")
        assert calls.count("charge") == 2
        given = await platform.rerun(run.id, from_step="ship", output="by hand")
        assert given.completed() == ["receipt o-1", "by hand"]
        with pytest.raises(NotSteered, match="about to be tried again"):
            await platform.retry(run.id)


async def test_waits_are_resolved_and_retries_hurried() -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("approval", "approved")
        done = await ctx.step.run("try", lambda: "done")
        return [event and event.data, done]

    async with TestPlatform(app) as platform:
        platform.fail("try")
        run = await platform.send_and_wait("go")
        assert run.waiting("approval") is None
        run = await platform.resolve(run.id, "approval", {"data": {"by": "Ada"}})
        run.waiting("try")
        run = await platform.retry(run.id, "try")
        assert run.completed() == [{"by": "Ada"}, "done"]
        assert (run.versions, run.drift) == ((app.version,), ())


async def test_what_controls_hold_back_is_said_and_functions_are_paused() -> None:
    app = App("shop")

    @app.function(on="go", rate_limit=RateLimit(1, "1m"))
    async def work(ctx: Context[Any]) -> str:
        return "done"

    async with TestPlatform(app) as platform:
        assert (await platform.send_and_wait("go")).output == "done"
        with pytest.raises(LookupError, match="no run shop/work: as many runs as its rate limit lets start"):
            await platform.send_and_wait("go")
        assert [one["reason"] for one in (await platform.events("go"))[-1].refusals] == ["rate_limited"]
        await platform.advance("1m")
        with pytest.raises(ValueError, match="a function is paused with one of keep, hold, drop, not 'stop'"):
            await platform.pause("shop/work", "stop")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        await platform.pause("shop/work")
        assert (await platform.send_and_wait("go")).status == "queued"
        await platform.resume("shop/work")
        assert [run.status for run in await platform.runs()] == ["completed", "completed"]
