"""Invoking a function as a step: its result is typed, its failure is caught like a step's."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, assert_type

import orjson
import pytest
from pydantic import BaseModel

from stepwell.functions import App, Context, Function, InvokeFailed, SyncContext
from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Cancelled, Completed, Failed, Suspended
from tests.functions_journal import STARTED, Driver, until

app = App("shop")


class Parcel(BaseModel):
    order: str
    due: date


@dataclass
class Order:
    id: str
    due: date


@app.function(on="pack.asked")
async def pack(ctx: Context[Order]) -> Parcel:
    return Parcel(order=ctx.data.id, due=ctx.data.due)


@app.function(on="count.asked")
def count(ctx: SyncContext) -> int:
    return 1


@app.function(on="note.asked")
async def note(ctx: Context) -> None: ...


def driver(handler: Any) -> Driver:
    return Driver(App("shop").function(on="order.placed", id="fulfil")(handler))


def output(ending: object) -> Any:
    assert isinstance(ending, Completed), ending
    return orjson.loads(ending.output)


def failure(ending: object) -> str:
    assert isinstance(ending, Failed), ending
    found = orjson.loads(ending.error)
    return f"{found['type']}: {found['message']}"


async def typed(ctx: Context) -> str:
    parcel = await ctx.step.invoke("pack", pack, Order("A-1", date(2030, 1, 31)))
    assert_type(parcel, Parcel)
    return f"{parcel.order} is due in {parcel.due.year}"


def typed_in_a_thread(ctx: SyncContext) -> str:
    parcel = ctx.step.invoke("pack", pack, Order("A-1", date(2030, 1, 31)))
    assert_type(parcel, Parcel)
    return f"{parcel.order} is due in {parcel.due.year}"


@pytest.mark.parametrize("handler", [typed, typed_in_a_thread])
async def test_what_a_function_returns_comes_back_as_its_annotation_says(handler: Any) -> None:
    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    row, waiting = d.run.rows["pack"], d.run.waiting["pack"]
    assert (row.kind, row.state, row.due) == ("invoke", "pending", 0)
    assert (waiting.function, waiting.data, waiting.detach) == ("shop/pack", {"id": "A-1", "due": "2030-01-31"}, False)
    assert pack.read(waiting.data) == Order("A-1", date(2030, 1, 31))
    d.run.complete("pack", {"order": "A-1", "due": "2030-01-31"})
    for _ in range(2):
        assert output(await d.lease()) == "A-1 is due in 2030"
    assert d.calls == [["invoke pack"], [], []]


async def test_by_name_it_is_plain_json() -> None:
    async def handler(ctx: Context) -> Any:
        return await ctx.step.invoke("pack", "depot/pack", {"id": "A-1"}, detach=True)

    d = driver(handler)
    await d.lease()
    waiting = d.run.waiting["pack"]
    assert (waiting.function, waiting.data, waiting.detach) == ("depot/pack", {"id": "A-1"}, True)
    d.run.complete("pack", {"order": "A-1", "due": "2030-01-31"})
    assert output(await d.lease()) == {"order": "A-1", "due": "2030-01-31"}


async def test_a_def_function_and_one_that_returns_nothing() -> None:
    async def handler(ctx: Context) -> list[Any]:
        counted, noted = await asyncio.gather(
            ctx.step.invoke("count", count), ctx.step.invoke("note", note, Parcel(order="A", due=date(2030, 1, 1)))
        )
        assert_type(counted, int)
        return [counted, noted]

    d = driver(handler)
    await d.lease()
    assert (d.run.waiting["count"].data, d.run.waiting["note"].data) == ({}, {"order": "A", "due": "2030-01-01"})
    d.run.complete("note", None)
    d.run.complete("count", 3)
    assert output(await d.lease()) == [3, None]


@pytest.mark.parametrize("payload", [b"", b"null"])
async def test_no_output_by_name_is_none(payload: bytes) -> None:
    async def handler(ctx: Context) -> bool:
        return await ctx.step.invoke("pack", "depot/pack") is None

    d = driver(handler)
    await d.lease()
    d.run.end("pack", True, payload)
    assert output(await d.lease()) is True


async def test_a_failure_can_be_caught_and_says_whose_it_is() -> None:
    async def handler(ctx: Context) -> list[str]:
        try:
            await ctx.step.invoke("pack", pack)
        except InvokeFailed as error:
            return [error.step, error.function, error.run_id, error.type, error.message]
        return []

    d = driver(handler)
    await d.lease()
    d.run.fail("pack", "OutOfBoxes", "none left")
    for _ in range(2):
        assert output(await d.lease()) == ["pack", "shop/pack", "child", "OutOfBoxes", "none left"]


@pytest.mark.parametrize("handler", [typed, typed_in_a_thread])
async def test_uncaught_it_fails_the_run_at_once(handler: Any) -> None:
    d = driver(handler)
    await d.lease()
    d.run.fail("pack", "OutOfBoxes", "none left")
    said = failure(await d.lease())
    assert said == "InvokeFailed: step 'pack': shop/pack did not complete (run child): OutOfBoxes: none left"


async def test_one_that_never_had_a_run_fails_without_its_id() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.invoke("pack", "depot/pack")

    d = driver(handler)
    await d.lease()
    d.run.end("pack", False, orjson.dumps({"type": "UnknownFunction", "message": "no such", "traceback": ""}))
    assert failure(await d.lease()) == (
        "InvokeFailed: step 'pack': depot/pack did not complete: UnknownFunction: no such"
    )


async def test_it_may_take_only_so_long() -> None:
    async def handler(ctx: Context) -> str:
        try:
            await ctx.step.invoke("pack", pack, timeout="2h")
        except InvokeFailed as error:
            return error.type
        return ""

    d = driver(handler)
    assert output(await d.to_end()) == "TimedOut"
    assert d.run.time.now == STARTED + 7_200_000


async def test_an_output_that_is_not_what_the_annotation_says_fails_the_run() -> None:
    d = driver(typed)
    await d.lease()
    d.run.complete("pack", {"order": "A-1"})
    said = failure(await d.lease())
    assert "InvalidValue: shop/fulfil: step 'pack': what shop/pack has returned is not what it is annotated to" in said
    assert "due: Field required" in said


async def test_it_comes_back_in_its_turn_beside_a_wait_and_a_sleep() -> None:
    async def handler(ctx: Context) -> list[str]:
        order: list[str] = []

        async def branch(name: str, step: Any) -> None:
            await step
            order.append(name)

        await asyncio.gather(
            branch("sleep", ctx.step.sleep("sleep", "1h")),
            branch("event", ctx.step.wait_for_event("event", "a")),
            branch("count", ctx.step.invoke("count", count)),
        )
        await ctx.step.sleep("rest", "1h")
        return order

    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    d.run.complete("count", 1)
    d.run.wake()
    d.run.deliver("a", {})
    assert output(await d.to_end()) == ["count", "sleep", "event"]


async def test_one_that_ends_while_the_run_is_live_lets_it_go_on() -> None:
    gate = asyncio.Event()

    async def handler(ctx: Context) -> Any:
        counted, _ = await asyncio.gather(ctx.step.invoke("count", count), ctx.step.run("body", gate.wait))
        return counted

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "count" in d.run.rows)
    execution.resolve(d.run.complete("count", 7))
    gate.set()
    assert output(await task) == 7


async def test_it_is_begun_once_whatever_crashes() -> None:
    d = driver(typed)
    await d.lease(crash_after=1)
    assert isinstance(await d.lease(), Suspended)
    assert d.calls == [["invoke pack"], []]


async def test_one_recorded_as_a_body_fails_the_run() -> None:
    d = driver(typed)
    d.run.rows["pack"] = Outcome("pack", "run", "done", 1, 1, 0, b"1")
    d.run.turn = 1
    assert "NonDeterministic: step 'pack' is recorded as 'run' and is now asked for as 'invoke'" in failure(
        await d.lease()
    )


async def test_a_run_that_waits_for_it_can_be_cancelled() -> None:
    async def handler(ctx: Context) -> None:
        await asyncio.gather(ctx.step.invoke("count", count), ctx.step.run("hang", asyncio.Event().wait))

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "count" in d.run.rows)
    execution.cancel()
    assert await task == Cancelled()


Slip = Callable[[Any], Any]

SLIPS: list[tuple[Slip, str]] = [
    (
        lambda step: step.invoke("x", "pack"),
        "InvalidStep: shop/fulfil: step 'x': a function is named with its app, \"shop/pack\", not 'pack'",
    ),
    (lambda step: step.invoke("x", "a/b/c"), "a function is named with its app, \"shop/pack\", not 'a/b/c'"),
    (lambda step: step.invoke("x", output), "invoke takes what @app.function(…) has made, or the name of a function"),
    (lambda step: step.invoke(pack), "missing 1 required positional argument: 'function': write step.invoke("),
    (lambda step: step.invoke(), '\'id\' and \'function\': write step.invoke("pack", pack, {"order": "A-1"})'),
    (lambda step: step.invoke(pack, {}), "invoke takes what @app.function(…) has made"),
    (
        lambda step: step.invoke("x", pack, ["A-1"]),
        "InvalidValue: shop/fulfil: step 'x': the data of an invoke is an object, a dict or a model, as that of an "
        "event, not ['A-1']",
    ),
    (lambda step: step.invoke("x", pack, {"a": object()}), "the data of an invoke is no JSON: "),
    (lambda step: step.invoke("x", pack, timeout="soon"), "InvalidDuration: shop/fulfil: step 'x': 'soon' is not a"),
    (lambda step: step.invoke("x", pack, detach="yes"), "detach is True or False, not 'yes'"),
    (lambda step: step.invoke(7, pack), "InvalidId: shop/fulfil: a step id is text"),
]


@pytest.mark.parametrize(("slip", "says"), SLIPS)
async def test_a_slip_fails_the_run_at_once_and_says_how_it_is_written(slip: Slip, says: str) -> None:
    async def handler(ctx: Context) -> None:
        await slip(ctx.step)

    def in_a_thread(ctx: SyncContext) -> None:
        slip(ctx.step)

    assert says in failure(await driver(handler).lease())
    assert says in failure(await driver(in_a_thread).lease())


async def test_a_function_that_returns_what_cannot_be_read_is_refused() -> None:
    class Odd:
        pass

    async def odd(ctx: Context) -> Any: ...

    odd.__annotations__["return"] = Odd
    function: Function[Any] = App("shop").function(on="a")(odd)

    async def handler(ctx: Context) -> None:
        await ctx.step.invoke("odd", function)

    said = failure(await driver(handler).lease())
    assert "InvalidValue: shop/fulfil: step 'odd': " in said
    assert "which pydantic cannot write" in said
