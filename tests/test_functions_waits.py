"""Waiting for events: durable as a sleep, ended by an event or by time, and the same at every replay."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from stepwell.functions import App, Context, EventWait, First, InvalidStep, ReceivedEvent, SyncContext, on_event
from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Cancelled, Completed, Failed, Suspended
from tests.functions_journal import STARTED, Driver, until

DAY = 86_400_000
Slip = Callable[[Any], Any]
ONE_EACH: list[Slip] = [
    lambda step: step.wait_for_event("x", "a"),
    lambda step: step.wait_for_any("x", {"a": on_event("a")}),
    lambda step: step.invoke("x", "shop/pack"),
]


def driver(handler: Any, data: Any = None) -> Driver:
    return Driver(App("shop").function(on="order.placed", id="fulfil")(handler), data)


def output(ending: object) -> Any:
    assert isinstance(ending, Completed), ending
    return orjson.loads(ending.output)


async def failed(d: Driver) -> str:
    """How the run has failed, which it has in its first lease."""
    ending = await d.lease()
    assert isinstance(ending, Failed), ending
    found = orjson.loads(ending.error)
    return f"{found['type']}: {found['message']}"


async def echo(value: Any) -> Any:
    return value


async def approval(ctx: Context) -> Any:
    event = await ctx.step.wait_for_event("approval", "order.approved", match="data.id", timeout="7d")
    return event and [event.id, event.name, event.data, event.ts]


def approval_in_a_thread(ctx: SyncContext) -> Any:
    event = ctx.step.wait_for_event("approval", "order.approved", match="data.id", timeout="7d")
    return event and [event.id, event.name, event.data, event.ts]


@pytest.mark.parametrize("handler", [approval, approval_in_a_thread])
async def test_a_run_is_suspended_until_the_event_comes_and_is_given_it(handler: Any) -> None:
    d = driver(handler, {"id": "A-1"})
    assert isinstance(await d.lease(), Suspended)
    row = d.run.rows["approval"]
    assert (row.kind, row.state, row.due) == ("wait_for_event", "pending", STARTED + 7 * DAY)
    assert not d.run.deliver("order.approved", {"id": "A-2"})
    assert not d.run.deliver("order.denied", {"id": "A-1"})
    assert d.run.deliver("order.approved", {"id": "A-1", "by": "ada"})
    for _ in range(2):
        assert output(await d.lease()) == ["order.approved-1", "order.approved", {"id": "A-1", "by": "ada"}, STARTED]
    assert d.calls == [["wait approval"], [], []]


@pytest.mark.parametrize("handler", [approval, approval_in_a_thread])
async def test_nothing_is_given_when_the_time_has_passed(handler: Any) -> None:
    d = driver(handler, {"id": "A-1"})
    assert output(await d.to_end()) is None
    assert d.run.time.now == STARTED + 7 * DAY


async def test_without_a_timeout_it_waits_for_as_long_as_the_run_lives() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.wait_for_event("approval", "inngest/function.failed", lookback=False)

    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    assert d.run.rows["approval"].due == 0
    assert d.run.waiting["approval"].waits == (EventWait("inngest/function.failed", lookback=False),)


async def test_no_time_at_all_is_no_wait() -> None:
    async def handler(ctx: Context) -> Any:
        return await ctx.step.wait_for_event("approval", "order.approved", timeout=0)

    d = driver(handler)
    assert output(await d.lease()) is None


async def test_an_expression_says_which_event_is_meant() -> None:
    async def handler(ctx: Context) -> Any:
        event = await ctx.step.wait_for_event("paid", "paid", if_="async.data.sum >= event.data.total")
        return event and event.data["sum"]

    d = driver(handler, {"total": 10})
    await d.lease()
    assert not d.run.deliver("paid", {"sum": 9})
    assert d.run.deliver("paid", {"sum": 12})
    assert output(await d.lease()) == 12


def test_what_match_means_is_said_as_a_condition() -> None:
    assert on_event("a", match="data.id").condition == "event.data.id == async.data.id"
    assert on_event("a", if_="async.data.ok").condition == "async.data.ok"
    assert on_event("a").condition == ""
    assert on_event("a", lookback=False) == EventWait("a", None, None, False)


async def test_an_event_that_comes_while_the_run_is_live_lets_it_go_on() -> None:
    async def handler(ctx: Context) -> list[Any]:
        event, value = await asyncio.gather(
            ctx.step.wait_for_event("approval", "order.approved"), ctx.step.run("body", body)
        )
        return [event and event.data, value]

    gate = asyncio.Event()

    async def body() -> str:
        await gate.wait()
        return "done"

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "approval" in d.run.rows)
    [ended] = d.run.deliver("order.approved", {"by": "ada"})
    execution.resolve(ended)
    gate.set()
    assert output(await task) == [{"by": "ada"}, "done"]


# The first of several


async def decision(ctx: Context) -> Any:
    first = await ctx.step.wait_for_any(
        "decision",
        {
            "late": "4d",
            "approved": on_event("order.approved", match="data.id"),
            "reminder": "3d",
            "rejected": on_event("order.rejected", match="data.id"),
        },
    )
    return [first.name, first.event and first.event.data]


def decision_in_a_thread(ctx: SyncContext) -> Any:
    first = ctx.step.wait_for_any(
        "decision",
        {
            "late": "4d",
            "approved": on_event("order.approved", match="data.id"),
            "reminder": "3d",
            "rejected": on_event("order.rejected", match="data.id"),
        },
    )
    return [first.name, first.event and first.event.data]


@pytest.mark.parametrize("handler", [decision, decision_in_a_thread])
async def test_the_first_event_of_several_wins(handler: Any) -> None:
    d = driver(handler, {"id": "A-1"})
    assert isinstance(await d.lease(), Suspended)
    assert d.run.rows["decision"].kind == "wait_for_any"
    assert d.run.deliver("order.rejected", {"id": "A-1"})
    assert not d.run.deliver("order.approved", {"id": "A-1"}), "the others are void"
    assert output(await d.to_end()) == ["rejected", {"id": "A-1"}]


@pytest.mark.parametrize("handler", [decision, decision_in_a_thread])
async def test_the_earliest_timer_wins_when_no_event_comes(handler: Any) -> None:
    d = driver(handler, {"id": "A-1"})
    assert output(await d.to_end()) == ["reminder", None]
    assert d.run.time.now == STARTED + 3 * DAY


@pytest.mark.parametrize(
    ("entries", "winner", "after"),
    [
        ({"moment": datetime.fromtimestamp(STARTED / 1000 + 60, UTC), "pause": "2m"}, "moment", 60_000),
        ({"moment": datetime.fromtimestamp(STARTED / 1000 + 60, UTC), "pause": "30s"}, "pause", 30_000),
        ({"moment": datetime(2001, 1, 1, tzinfo=UTC), "pause": "30s", "a": on_event("a")}, "moment", 0),
        ({"long": timedelta(hours=1), "short": 1.5}, "short", 1500),
        ({"one": "1h", "other": "60m"}, "one", 3_600_000),
    ],
)
async def test_durations_and_moments_are_compared(entries: Any, winner: str, after: int) -> None:
    async def handler(ctx: Context) -> list[Any]:
        first = await ctx.step.wait_for_any("any", entries)
        return [first.name, first.event]

    d = driver(handler)
    assert output(await d.to_end()) == [winner, None]
    assert d.run.time.now == STARTED + after


async def test_without_a_timer_only_an_event_ends_it() -> None:
    async def handler(ctx: Context) -> Any:
        return (await ctx.step.wait_for_any("any", {"a": on_event("a"), "b": on_event("b")})).name

    d = driver(handler)
    await d.lease()
    assert d.run.rows["any"].due == 0
    d.run.deliver("b", {})
    assert output(await d.lease()) == "b"


def test_what_was_first_is_a_value() -> None:
    event = ReceivedEvent("1", "a", {}, 7)
    assert First("a", event) == First("a", event) != First("a", None)


async def test_a_winner_that_the_code_does_not_know_any_more_fails_the_run() -> None:
    async def handler(ctx: Context) -> Any:
        return (await ctx.step.wait_for_any("any", entries)).name

    entries: dict[str, Any] = {"a": on_event("a"), "b": on_event("b")}
    d = driver(handler)
    await d.lease()
    d.run.deliver("b", {})
    del entries["b"]
    assert "step 'any' is recorded as won by event 2 of those it waited for, and now waits for 1" in await failed(d)


# Beside others


async def test_a_wait_a_sleep_and_a_body_side_by_side_come_back_in_the_order_of_their_turns() -> None:
    async def handler(ctx: Context) -> list[str]:
        order: list[str] = []

        async def branch(name: str, step: Any) -> None:
            await step
            order.append(name)

        await asyncio.gather(
            branch("sleep", ctx.step.sleep("sleep", "2h")),
            branch("wait", ctx.step.wait_for_event("wait", "a")),
            branch("any", ctx.step.wait_for_any("any", {"b": on_event("b"), "time": "1h"})),
            branch("body", ctx.step.run("body", echo, 1)),
        )
        await ctx.step.sleep("rest", "1h")
        return order

    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    d.run.wake()  # any
    d.run.wake()  # sleep
    d.run.deliver("a", {})
    assert isinstance(await d.lease(), Suspended)
    assert output(await d.to_end()) == ["body", "any", "sleep", "wait"]


async def test_waits_that_end_together_while_live_are_replayed_alike() -> None:
    seen: list[list[str]] = []

    async def handler(ctx: Context) -> None:
        order: list[str] = []

        async def branch(name: str) -> None:
            await ctx.step.wait_for_event(name, name)
            order.append(name)
            await ctx.step.run(f"after-{name}", echo, name)

        await asyncio.gather(branch("a"), branch("b"), branch("c"), ctx.step.run("body", gate.wait))
        seen.append(order)
        await ctx.step.sleep("rest", "1h")

    gate = asyncio.Event()
    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: {"a", "b", "c"} <= set(d.run.rows))
    for outcome in reversed([*d.run.deliver("c", {}), *d.run.deliver("a", {}), *d.run.deliver("b", {})]):
        execution.resolve(outcome)  # heard of in another order than that of their turns
    gate.set()
    assert isinstance(await task, Suspended)
    assert isinstance(await d.to_end(), Completed)
    assert seen[0] == ["c", "a", "b"]
    assert seen[1:] == [seen[0]] * (len(seen) - 1)
    assert len(seen) > 1


async def test_the_first_branch_of_a_race_may_be_a_wait() -> None:
    async def handler(ctx: Context) -> str:
        approved = asyncio.create_task(ctx.step.wait_for_event("approved", "a"))
        nap = asyncio.create_task(ctx.step.sleep("nap", "1h"))
        done, pending = await asyncio.wait({approved, nap}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        return "approved" if approved in done else "late"

    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    d.run.deliver("a", {})
    assert output(await d.lease()) == "approved"


async def test_branches_of_a_def_handler_wait_together() -> None:
    def handler(ctx: SyncContext) -> list[Any]:
        event, _, first = ctx.step.parallel(
            lambda: ctx.step.wait_for_event("a", "a"),
            lambda: ctx.step.sleep("nap", "1h"),
            lambda: ctx.step.wait_for_any("b", {"b": on_event("b"), "never": "9d"}),
        )
        return [event and event.name, first.name]

    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    d.run.deliver("b", {})
    d.run.deliver("a", {})
    assert output(await d.to_end()) == ["a", "b"]


async def test_waits_may_repeat_their_id() -> None:
    async def handler(ctx: Context) -> list[Any]:
        return [(await ctx.step.wait_for_any("page", {"page": on_event("page")})).name for _ in range(2)]

    d = driver(handler)
    for key in ("page", "page:1"):
        assert isinstance(await d.lease(), Suspended)
        assert d.run.rows[key].state == "pending"
        assert len(d.run.deliver("page", {})) == 1
    assert output(await d.lease()) == ["page", "page"]


@pytest.mark.parametrize("step", ONE_EACH)
async def test_one_id_in_two_branches_is_refused_with_both_places(step: Slip) -> None:
    async def branch(ctx: Context) -> None:
        await step(ctx.step)

    async def handler(ctx: Context) -> None:
        await asyncio.gather(branch(ctx), branch(ctx))

    said = await failed(driver(handler))
    assert said.startswith("DuplicateStep: step id 'x' is used by two branches that run side by side")
    assert said.count(f"{__file__}:") == 2


# What goes wrong


@pytest.mark.parametrize("crash", [{"crash_after": 1}, {"lose_after": 1}, {"unavailable_after": 1}])
async def test_a_wait_that_was_recorded_before_a_crash_is_not_begun_again(crash: dict[str, int]) -> None:
    d = driver(approval, {"id": "A-1"})
    await d.lease(**crash)
    d.run.time.advance(DAY)
    assert isinstance(await d.lease(), Suspended)
    assert d.run.rows["approval"].due == STARTED + 7 * DAY
    assert d.calls == [["wait approval"], []]


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [("sleep", "wait_for_event"), ("wait_for_event", "wait_for_any"), ("invoke", "wait_for_event")],
)
async def test_a_wait_that_is_recorded_as_something_else_fails_the_run(recorded: str, asked: str) -> None:
    async def handler(ctx: Context) -> None:
        if asked == "wait_for_event":
            await ctx.step.wait_for_event("x", "a")
        else:
            await ctx.step.wait_for_any("x", {"a": on_event("a")})

    d = driver(handler)
    d.run.rows["x"] = Outcome("x", recorded, "pending", 0, 0, 0, b"null")
    assert await failed(d) == (
        f"NonDeterministic: step 'x' is recorded as {recorded!r} and is now asked for as {asked!r}. "
        "Give a step that does something else another id; runs that began with the old code keep the old one"
    )


async def test_a_run_that_waits_can_be_cancelled_and_cleans_up() -> None:
    async def handler(ctx: Context) -> None:
        try:
            await asyncio.gather(ctx.step.wait_for_event("approval", "a"), ctx.step.run("hang", asyncio.Event().wait))
        finally:
            await ctx.step.run("refund", echo, 1)

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "approval" in d.run.rows)
    execution.cancel()
    assert await task == Cancelled()
    assert list(d.run.rows) == ["approval", "refund"]


async def test_a_cancelled_handler_waits_for_nothing_more() -> None:
    async def handler(ctx: Context) -> None:
        try:
            await ctx.step.run("hang", asyncio.Event().wait)
        finally:
            await ctx.step.wait_for_event("approval", "a")

    execution, _ = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await asyncio.sleep(0.01)
    execution.cancel()
    assert await task == Cancelled()


SLIPS: list[tuple[Slip, str]] = [
    (
        lambda step: step.wait_for_event("x", "order.*"),
        "InvalidStep: shop/fulfil: step 'x': waiting for 'order.*': one name, such as 'order.approved', "
        "and not all like 'order.*', can be waited for",
    ),
    (lambda step: step.wait_for_event("x", ""), "waiting for '': an event name is text that is not empty"),
    (lambda step: step.wait_for_event("x", 7), "an event name is text that is not empty"),
    (
        lambda step: step.wait_for_event("order.approved"),
        'missing 1 required positional argument: \'name\': write step.wait_for_event("approval", "order.approved"',
    ),
    (
        lambda step: step.wait_for_event("x", "a", "data.id"),
        "positional arguments but 4 were given: write step.wait_for_event(",
    ),
    (
        lambda step: step.wait_for_event("x", "a", within="1d"),
        "unexpected keyword argument 'within': write step.wait_for",
    ),
    (
        lambda step: step.wait_for_event("x", "a", match="event.data.id"),
        "step 'x': waiting for 'a': match is a path both events have, such as \"data.id\", not 'event.data.id'",
    ),
    (lambda step: step.wait_for_event("x", "a", match="data.order-id"), "for anything else write if_="),
    (lambda step: step.wait_for_event("x", "a", match=""), "match is a path both events have"),
    (lambda step: step.wait_for_event("x", "a", match=7), "match is a path both events have"),
    (lambda step: step.wait_for_event("x", "a", if_=True), "if_ is an expression as text, such as"),
    (lambda step: step.wait_for_event("x", "a", if_=" "), "if_ is an expression as text, such as"),
    (lambda step: step.wait_for_event("x", "a", if_="1" * 5000), "of at most 4,096 characters, and this one has 5,000"),
    (
        lambda step: step.wait_for_event("x", "a", match="data.id", if_="true"),
        "match= and if_= are two ways to say one thing",
    ),
    (
        lambda step: step.wait_for_event("x", "a", timeout="soon"),
        "InvalidDuration: shop/fulfil: step 'x': 'soon' is not",
    ),
    (lambda step: step.wait_for_event("x", "a", lookback="1d"), "lookback is True or False, not '1d'"),
    (lambda step: step.wait_for_event(7, "a"), "InvalidId: shop/fulfil: a step id is text"),
    (
        lambda step: step.wait_for_any("x", {}),
        "InvalidStep: shop/fulfil: step 'x': what it waits for is a dict of names, with an event or a time for each",
    ),
    (lambda step: step.wait_for_any("x", "3d"), "what it waits for is a dict of names"),
    (lambda step: step.wait_for_any("x", {7: "3d"}), "each thing waited for has a name that is text"),
    (lambda step: step.wait_for_event("x", "a", if_="async.data.id == '\ud800'"), "if_ is no text that can be written"),
    (lambda step: step.wait_for_any("x", {"\ud800": "3d"}), r"'\ud800' is no text that can be written as UTF-8"),
    (lambda step: step.wait_for_any("x", {"": "3d"}), "each thing waited for has a name that is text"),
    (
        lambda step: step.wait_for_any("x", {"a": "order.approved"}),
        "InvalidDuration: shop/fulfil: step 'x': 'a': 'order.approved' is not a duration: write \"300ms\", \"5m\" or "
        '"1h30m" (ms, s, m, h, d, w); an event is on_event("order.approved")',
    ),
    (lambda step: step.wait_for_any("x", {"a": None}), "'a': a duration is text"),
    (lambda step: step.wait_for_any("x", {"a": datetime(2030, 1, 1)}), "has no time zone"),  # noqa: DTZ001
    (
        lambda step: step.wait_for_any("x", {str(number): on_event("a") for number in range(17)}),
        "it waits for 17 events, and may for 16 at most",
    ),
    (
        lambda step: step.wait_for_any("x"),
        "missing 1 required positional argument: 'entries': write step.wait_for_any(",
    ),
    (lambda step: step.wait_for_any("x", {"a": on_event("a.*")}), "InvalidStep: waiting for 'a.*': one name, such as"),
]


@pytest.mark.parametrize(("slip", "says"), SLIPS)
async def test_a_slip_fails_the_run_at_once_and_says_how_it_is_written(slip: Slip, says: str) -> None:
    async def handler(ctx: Context) -> None:
        await slip(ctx.step)

    def in_a_thread(ctx: SyncContext) -> None:
        slip(ctx.step)

    assert says in await failed(driver(handler))
    assert says in await failed(driver(in_a_thread))


@pytest.mark.parametrize("name", ["", "a.*", 7])
def test_an_event_that_cannot_be_waited_for_is_refused_where_it_is_written(name: Any) -> None:
    with pytest.raises(InvalidStep, match="waiting for"):
        on_event(name)
