"""What a handler may rely on when it is suspended, crashes and is run again."""

import asyncio
from typing import Any

import orjson
import pytest

from stepwell.functions import (
    App,
    Context,
    LimitExceeded,
    NonDeterministic,
    NonRetriable,
    Retries,
    RetryAfter,
    StepFailed,
)
from stepwell.functions.replay import (
    Cancelled,
    Completed,
    Failed,
    Released,
    Retry,
    Suspended,
)
from tests.functions_journal import Driver, until

app = App("shop")
counted: list[str] = []


@pytest.fixture(autouse=True)
def nothing_counted() -> None:
    counted.clear()


async def count(name: str) -> str:
    counted.append(name)
    return name


def output(ending: object) -> Any:
    assert isinstance(ending, Completed), ending
    return orjson.loads(ending.output)


def error(ending: object) -> dict[str, Any]:
    assert isinstance(ending, (Failed, Retry)), ending
    found: dict[str, Any] = orjson.loads(ending.error)
    return found


def driver(handler: Any, retries: int | Retries | None = None, data: Any = None) -> Driver:
    return Driver(App("shop").function(on="order.placed", retries=retries)(handler), data)


async def test_a_step_is_done_once_however_often_the_handler_runs() -> None:
    async def handler(ctx: Context) -> list[str]:
        first = await ctx.step.run("first", count, "first")
        await ctx.step.sleep("rest", "1h")
        second = await ctx.step.run("second", count, "second")
        await ctx.step.sleep("rest", "1h")
        return [first, second]

    d = driver(handler)
    assert output(await d.to_end()) == ["first", "second"]
    assert counted == ["first", "second"]
    assert [type(ending) for ending in d.endings] == [Suspended, Suspended, Completed]
    assert list(d.run.rows) == ["first", "rest", "second", "rest:1"]


async def test_a_sleep_is_armed_once_and_never_again() -> None:
    async def handler(ctx: Context) -> None:
        await asyncio.gather(ctx.step.sleep("long", "2h"), ctx.step.sleep("short", "1h"))

    d = driver(handler)
    await d.to_end()
    assert [call for calls in d.calls for call in calls] == ["arm long", "arm short"]


async def test_time_passed_is_no_sleep_at_all() -> None:
    async def handler(ctx: Context) -> str:
        await ctx.step.sleep_until("past", "2001-01-01T00:00:00Z")
        return "on"

    d = driver(handler)
    assert output(await d.lease()) == "on"


async def test_suspension_says_the_last_turn_it_has_seen() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.run("one", count, "one")
        await ctx.step.run("two", count, "two")
        await ctx.step.sleep("rest", 60)

    assert await driver(handler).lease() == Suspended(turn=2)


async def test_a_wait_that_ends_while_the_run_is_live_lets_it_go_on() -> None:
    working = asyncio.Event()

    async def work() -> str:
        await working.wait()
        return "worked"

    async def handler(ctx: Context) -> list[str]:
        async def nap() -> str:
            await ctx.step.sleep("nap", "1m")
            return await ctx.step.run("after", count, "after")

        return list(await asyncio.gather(nap(), ctx.step.run("work", work)))

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "nap" in d.run.rows)
    woken = d.run.wake()
    assert woken is not None
    execution.resolve(woken)
    await until(lambda: counted == ["after"])
    working.set()
    assert output(await task) == ["after", "worked"]


# Retries


async def test_a_failed_step_is_tried_again_after_a_durable_delay() -> None:
    async def flaky() -> str:
        counted.append("try")
        if len(counted) < 3:
            raise ValueError("not yet")
        return "there"

    async def handler(ctx: Context) -> str:
        return await ctx.step.run("flaky", flaky)

    d = driver(handler, Retries(4, delay="10s", factor=2, jitter="none"))
    before = d.run.time.now
    assert output(await d.to_end()) == "there"
    assert d.run.time.now - before == 30_000
    assert d.run.rows["flaky"].attempts == 3
    assert [type(ending) for ending in d.endings] == [Suspended, Suspended, Completed]


async def test_after_the_last_attempt_the_handler_can_catch_and_compensate() -> None:
    chained: list[object] = []

    async def broken() -> str:
        raise ValueError("no")

    async def handler(ctx: Context) -> str:
        try:
            return await ctx.step.run("broken", broken)
        except StepFailed as failed:
            chained.append((failed.__cause__, failed.__context__))
            await ctx.step.sleep("rest", "1m")
            return f"{failed.step} {failed.type} {failed.message} {failed.attempts}: {failed}"

    d = driver(handler, 2)
    text = "broken ValueError no 3: step 'broken' failed after 3 attempts: ValueError: no"
    assert output(await d.to_end()) == text
    assert chained == [(None, None)] * 2, "the same at first and at replay"


async def test_an_uncaught_step_failure_fails_the_run_at_once() -> None:
    async def broken() -> None:
        raise ValueError("no")

    async def handler(ctx: Context) -> None:
        await ctx.step.run("broken", broken)

    d = driver(handler, 1)
    found = error(await d.to_end())
    assert (found["type"], d.run.attempt) == ("StepFailed", 0)
    assert "broken" in found["message"]
    recorded = orjson.loads(d.run.rows["broken"].payload)
    assert recorded["type"] == "ValueError"
    assert [frame["function"].rpartition(".")[2] for frame in recorded["traceback"]] == ["broken"]
    assert recorded["traceback"][0]["file"] == __file__


async def test_non_retriable_is_not_tried_again() -> None:
    async def refused() -> None:
        counted.append("try")
        raise NonRetriable("card refused")

    async def handler(ctx: Context) -> None:
        await ctx.step.run("charge", refused)

    d = driver(handler, 4)
    assert error(await d.to_end())["message"].endswith("NonRetriable: card refused")
    assert counted == ["try"]


async def test_errors_that_are_not_to_be_tried_again_are_final_in_steps_and_outside() -> None:
    async def missing() -> None:
        counted.append("try")
        raise FileNotFoundError("no such order")

    async def handler(ctx: Context) -> None:
        try:
            await ctx.step.run("look", missing)
        except StepFailed:
            await missing()

    d = driver(handler, Retries(4, give_up_on=FileNotFoundError))
    assert error(await d.to_end())["type"] == "FileNotFoundError"
    assert counted == ["try", "try"]


async def test_a_step_may_have_errors_of_its_own_to_try_again() -> None:
    async def flaky() -> str:
        counted.append("try")
        raise (TimeoutError("slow") if len(counted) == 1 else ValueError("wrong"))

    async def handler(ctx: Context) -> None:
        await ctx.step.options(retries=Retries(4, retry_on=TimeoutError)).run("ask", flaky)

    d = driver(handler, 4)
    assert "wrong" in error(await d.to_end())["message"]
    assert counted == ["try", "try"]


async def test_retry_after_says_when() -> None:
    async def busy() -> str:
        counted.append("try")
        if len(counted) == 1:
            raise RetryAfter("42s", "too many requests")
        return "served"

    async def handler(ctx: Context) -> str:
        return await ctx.step.run("busy", busy)

    d = driver(handler, 1)
    before = d.run.time.now
    assert output(await d.to_end()) == "served"
    assert d.run.time.now - before == 42_000


async def test_options_override_for_one_step() -> None:
    async def broken() -> None:
        counted.append("try")
        raise ValueError("no")

    async def handler(ctx: Context) -> None:
        await ctx.step.options(retries=0).run("broken", broken)

    await driver(handler, 4).to_end()
    assert counted == ["try"]


async def test_a_timeout_ends_one_attempt_and_counts_as_a_failure() -> None:
    async def hangs() -> None:
        counted.append("try")
        await asyncio.get_running_loop().create_future()

    async def handler(ctx: Context) -> None:
        await ctx.step.options(retries=1, timeout=0.001).run("hangs", hangs)

    assert "took longer than the 1 ms" in error(await driver(handler).to_end())["message"]
    assert counted == ["try", "try"]


async def test_a_body_whose_own_task_was_cancelled_has_failed() -> None:
    async def body() -> None:
        task = asyncio.create_task(asyncio.sleep(0))
        task.cancel()
        await task

    async def handler(ctx: Context) -> None:
        await ctx.step.run("body", body)

    assert "CancelledError" in error(await driver(handler, 0).to_end())["message"]


async def test_a_body_that_exits_fails_its_step_and_not_the_worker() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def handler(ctx: Context) -> None:
        await ctx.step.run("leave", leave)

    assert "SystemExit" in error(await driver(handler, 0).to_end())["message"]


async def test_an_error_outside_steps_is_retried_from_the_record() -> None:
    async def handler(ctx: Context) -> int:
        await ctx.step.run("once", count, "once")
        if ctx.attempt < 2:
            raise ValueError("outside")
        return ctx.attempt

    d = driver(handler, Retries(4, delay="1s", factor=2, jitter="none"))
    assert output(await d.to_end()) == 2
    assert counted == ["once"]
    assert [ending.delay for ending in d.endings if isinstance(ending, Retry)] == [1000, 2000]


async def test_errors_outside_steps_have_their_last_attempt() -> None:
    async def handler(ctx: Context) -> None:
        raise ValueError("always")

    d = driver(handler, 2)
    found = error(await d.to_end())
    assert found == {"type": "ValueError", "message": "always", "traceback": found["traceback"]}
    assert found["traceback"][0]["function"].endswith("handler")
    assert d.run.attempt == 2


@pytest.mark.parametrize("leave", [SystemExit(1), asyncio.CancelledError()])
async def test_a_handler_that_leaves_oddly_has_failed(leave: BaseException) -> None:
    async def handler(ctx: Context) -> None:
        raise leave

    assert type(leave).__name__ in error(await driver(handler, 0).to_end())["message"]


async def test_a_group_of_one_error_is_that_error() -> None:
    async def handler(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.step.run("broken", refuse))

    d = driver(handler, 4)
    assert error(await d.to_end())["type"] == "StepFailed"
    assert d.run.attempt == 0


async def refuse() -> None:
    raise NonRetriable("no")


# Leases


async def test_a_lost_lease_records_nothing_more_and_no_failure() -> None:
    async def handler(ctx: Context) -> None:
        try:
            await ctx.step.run("one", count, "one")
        except BaseException:
            await ctx.step.run("two", count, "two")
            raise

    d = driver(handler)
    assert await d.lease(lose_after=1) == Released()
    assert list(d.run.rows) == ["one"]


async def test_an_unavailable_journal_is_no_failed_step() -> None:
    async def handler(ctx: Context) -> str:
        try:
            return await ctx.step.run("one", count, "one")
        except Exception:
            return "failed"

    d = driver(handler)
    assert await d.lease(unavailable_after=1) == Released()
    assert output(await d.to_end()) == "one"
    assert counted == ["one"]


async def test_abandon_stops_a_body_where_it_is() -> None:
    stopped: list[str] = []

    async def body() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.append("body")

    async def handler(ctx: Context) -> None:
        await ctx.step.run("body", body)

    d = driver(handler)
    execution, journal = d.begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0.01)
    execution.abandon()
    assert await task == Released()
    assert (stopped, journal.calls) == (["body"], [])


async def test_a_drain_lets_bodies_finish_and_begins_none() -> None:
    going, finish = asyncio.Event(), asyncio.Event()

    async def slow(name: str) -> str:
        going.set()
        await finish.wait()
        return name

    async def handler(ctx: Context) -> list[str]:
        done = await asyncio.gather(ctx.step.run("a", slow, "a"), ctx.step.run("b", slow, "b"))
        return [*done, await ctx.step.run("c", count, "c")]

    d = driver(handler)
    execution, journal = d.begin()
    task = asyncio.ensure_future(execution.run())
    await going.wait()
    execution.drain()
    finish.set()
    assert await task == Released()
    assert sorted(journal.calls) == ["checkpoint a", "checkpoint b"]
    assert output(await d.to_end()) == ["a", "b", "c"]


async def test_a_drain_does_not_wait_for_plain_input_and_output() -> None:
    async def handler(ctx: Context) -> None:
        await asyncio.get_running_loop().create_future()

    execution, _ = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0)
    execution.drain()
    assert await task == Released()


async def test_a_drained_handler_that_needs_no_more_steps_completes() -> None:
    started, finish = asyncio.Event(), asyncio.Event()

    async def last() -> int:
        started.set()
        await finish.wait()
        return 1

    async def handler(ctx: Context) -> int:
        return await ctx.step.run("last", last)

    execution, _ = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await started.wait()
    execution.drain()
    finish.set()
    assert output(await task) == 1


async def test_cancelling_run_itself_unwinds_and_raises() -> None:
    cleaned: list[int] = []

    async def handler(ctx: Context) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cleaned.append(1)

    execution, _ = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaned == [1]


@pytest.mark.parametrize("refusal", [LimitExceeded("the run has 1,000 steps"), NonDeterministic("one", "sleep", "run")])
async def test_what_the_journal_refuses_fails_the_run_at_once(refusal: Exception) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.run("one", count, "one")

    d = driver(handler)
    execution, journal = d.begin()
    journal.refusal = refusal
    assert error(await execution.run())["message"] == str(refusal)


# Cancel


async def test_cancel_reaches_the_handler_and_cleanup_steps_run() -> None:
    async def handler(ctx: Context) -> str:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await ctx.step.run("refund", count, "refund")
        return "never"

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    execution.cancel()
    assert await task == Cancelled()
    assert list(d.run.rows) == ["refund"]


async def test_a_handler_that_swallows_its_cancel_is_cancelled_all_the_same() -> None:
    async def handler(ctx: Context) -> str:
        try:
            await ctx.step.run("hang", asyncio.Event().wait)
        except asyncio.CancelledError:
            await ctx.step.run("cleanup", count, "cleanup")
        return "went on"

    execution, journal = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0.01)
    execution.cancel()
    assert await task == Cancelled()
    assert journal.calls == ["checkpoint cleanup"]


async def test_cleanup_that_would_have_to_wait_is_not_waited_for() -> None:
    async def handler(ctx: Context) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await ctx.step.sleep("wait", "7d")

    execution, _ = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0.01)
    execution.cancel()
    assert await task == Cancelled()


async def test_cancel_before_the_first_line_runs_nothing() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.run("one", count, "one")

    execution, _ = driver(handler).begin()
    execution.cancel()
    assert await execution.run() == Cancelled()
    assert counted == []


# Drift


async def test_recorded_steps_that_are_never_asked_for_are_drift() -> None:
    async def before(ctx: Context) -> None:
        await ctx.step.run("old", count, "old")
        await ctx.step.run("kept", count, "kept")
        await ctx.step.sleep("rest", "1m")

    async def after(ctx: Context) -> None:
        await ctx.step.run("kept", count, "kept")
        await ctx.step.sleep("rest", "1m")
        await ctx.step.run("new", count, "new")

    d = driver(before)
    await d.lease()
    assert d.execution is not None
    assert d.execution.drift == []
    d.function = driver(after).function
    await d.to_end()
    assert d.execution.drift == ["old"]


# Sending


async def test_events_are_sent_once_and_their_ids_are_kept() -> None:
    async def handler(ctx: Context) -> list[str]:
        ids = await ctx.step.send("tell", {"name": "order.packed", "data": {"id": 7}}, ctx.event)
        await ctx.step.sleep("rest", "1m")
        return ids

    d = driver(handler, data={"total": 1})
    assert output(await d.to_end()) == ["tell/0", "tell/1"]
    assert d.run.sent == {
        "tell": [
            {"name": "order.packed", "data": {"id": 7}},
            {"name": "order.placed", "data": {"total": 1}, "id": "event-1", "ts": 1_700_000_000_000},
        ]
    }


@pytest.mark.parametrize("event", [{}, {"name": ""}, {"name": "a", "data": object()}])
async def test_an_event_that_cannot_be_sent_fails_the_run_clearly(event: dict[str, Any]) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.send("tell", event)

    assert error(await driver(handler).lease())["type"] == "InvalidValue"
