"""Steps called as no step can be: the run fails at once, with a line that says how it is written."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest

from stepwell.functions import App, Context, SyncContext
from stepwell.functions.replay import Completed, Failed, Retry
from tests.functions_journal import Driver

Slip = Callable[[Any], Any]


async def slow(seconds: float = 0) -> str:
    return "done"


def pack(item: str) -> str:
    return item


def driver(handler: Any) -> Driver:
    return Driver(App("shop").function(on="order.placed", id="fulfil")(handler))


async def failed(d: Driver) -> str:
    """How the run has failed, which it has in its first lease."""
    ending = await d.lease()
    assert isinstance(ending, Failed), ending
    found = orjson.loads(ending.error)
    return f"{found['type']}: {found['message']}"


SLIPS: list[tuple[Slip, str]] = [
    (
        lambda step: step.run("x", slow()),
        "InvalidStep: shop/fulfil: step 'x' was given the coroutine slow() instead of a function: "
        'write step.run("x", slow), and what slow is called with after it',
    ),
    (
        lambda step: step.run(slow),
        "InvalidStep: shop/fulfil: step.run was given the function slow as its id: "
        'write step.run("slow", slow), and what slow is called with after it',
    ),
    (lambda step: step.run(slow()), 'step.run was given the coroutine slow() as its id: write step.run("slow", slow)'),
    (lambda step: step.run(slow, "x"), 'step.run was given the function slow as its id: write step.run("slow", slow)'),
    (lambda step: step.run("x"), "step 'x' was given nothing instead of a function: write step.run(\"x\", charge)"),
    (lambda step: step.run(id="x", fn=slow), "step.run was given nothing as its id: write step.run("),
    (lambda step: step.run("x", "done"), "step 'x' was given 'done' (a str) instead of a function"),
    (lambda step: step.run(7, slow), "InvalidId: shop/fulfil: a step id is text that is not empty, such as"),
    (lambda step: step.run("\ud800", slow), r"InvalidId: shop/fulfil: step id '\ud800' is no text that can be written"),
    (lambda step: step.sleep("é" * 200, "5m"), "InvalidId: shop/fulfil: a step id has at most 256 bytes"),
    (lambda step: step.run(["x"], slow), "InvalidId: shop/fulfil: a step id is text"),
    (lambda step: step.sleep(5, "5m"), "InvalidId: shop/fulfil: a step id is text"),
    (
        lambda step: step.sleep("pause", None),
        "InvalidDuration: shop/fulfil: step 'pause': a duration is text such as \"5m\", a timedelta or a number",
    ),
    (lambda step: step.sleep("pause", duration="5 minutes"), "InvalidDuration: shop/fulfil: step 'pause': '5 minutes'"),
    (
        lambda step: step.sleep("5m"),
        'missing 1 required positional argument: \'duration\': write step.sleep("pause", "5m")',
    ),
    (lambda step: step.sleep_until("end", "soon"), "InvalidDuration: shop/fulfil: step 'end': 'soon' is not a moment"),
    (
        lambda step: step.send("tell", "order.packed"),
        "InvalidValue: shop/fulfil: step 'tell': an event to send is an Event",
    ),
    (
        lambda step: step.send("tell", [{"name": "a"}]),
        "an event to send is an Event, or a mapping with name and data, not [",
    ),
    (lambda step: step.send(), "missing 1 required positional argument: 'id': write step.send("),
    (lambda step: step.send({"name": "a"}), "InvalidId: shop/fulfil: a step id is text"),
]


@pytest.mark.parametrize(("slip", "says"), SLIPS)
async def test_a_slip_fails_the_run_at_once_and_says_how_it_is_written(slip: Slip, says: str) -> None:
    async def handler(ctx: Context) -> None:
        await slip(ctx.step)

    async def beside_another(ctx: Context) -> None:
        await asyncio.gather(ctx.step.run("other", pack, "tea"), slip(ctx.step))

    assert says in await failed(driver(handler))
    assert says in await failed(driver(beside_another)), "and the step made before it is awaited all the same"


@pytest.mark.parametrize(("slip", "says"), SLIPS)
async def test_so_it_does_in_a_def_handler(slip: Slip, says: str) -> None:
    def handler(ctx: SyncContext) -> None:
        slip(ctx.step)

    assert says in await failed(driver(handler))


async def test_a_coroutine_given_for_a_function_is_closed() -> None:
    given: list[Coroutine[Any, Any, str]] = [slow()]

    async def handler(ctx: Context) -> None:
        await ctx.step.run("x", given[0])  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

    await failed(driver(handler))
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        await given[0]


async def test_a_body_that_cannot_be_called_with_its_arguments_is_not_tried_again() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.run("pack", pack)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]

    d = driver(handler)
    said = await failed(d)
    assert "shop/fulfil: step 'pack' cannot call pack(item: str) -> str, missing a required argument: 'item'" in said
    assert 'write step.run("pack", pack, …) with all that pack takes' in said
    assert d.run.rows["pack"].attempts == 1


async def test_a_type_error_of_the_body_itself_is_tried_again() -> None:
    def body(item: Any) -> Any:
        return pack(item, item)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    async def handler(ctx: Context) -> None:
        await ctx.step.run("pack", body, "tea")

    d = driver(handler)
    await d.lease()
    assert d.run.rows["pack"].state == "retrying"


async def test_a_handler_may_go_on_after_a_slip() -> None:
    async def handler(ctx: Context) -> str:
        try:
            await ctx.step.sleep("pause", "soon")
        except ValueError:
            return await ctx.step.run("x", slow)
        return ""

    assert isinstance(await driver(handler).lease(), Completed)


# Steps that are not awaited


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
async def test_a_step_that_is_never_awaited_fails_the_run() -> None:
    async def handler(ctx: Context) -> str:
        await ctx.step.run("pack", pack, "tea")
        ctx.step.run("pack", pack, "cup")  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
        return "done"

    d = driver(handler)
    said = await failed(d)
    assert "InvalidStep: shop/fulfil: step 'pack:1' was called and never awaited, so it was not executed" in said
    assert f"{__file__}:" in said
    assert list(d.run.rows) == ["pack"]


USES: list[Slip] = [
    lambda made: made.total,
    lambda made: made["total"],
    lambda made: made + 1,
    lambda made: [*made],
    lambda made: orjson.dumps(made),
]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("use", USES)
async def test_a_step_that_is_taken_for_its_value_is_to_be_awaited(use: Slip) -> None:
    async def handler(ctx: Context) -> Any:
        return use(ctx.step.run("pack", pack, "tea"))

    assert "InvalidStep: shop/fulfil: step 'pack' was called and never awaited" in await failed(driver(handler))


async def test_a_coroutine_of_the_handlers_own_that_is_taken_for_its_value_is_no_slip_of_a_step() -> None:
    async def handler(ctx: Context) -> Any:
        await ctx.step.run("pack", pack, "tea")
        made = slow()
        try:
            return made.total  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        finally:
            made.close()

    assert isinstance(await driver(handler).lease(), Retry)


async def test_a_step_in_a_task_that_never_began_is_only_spoken_of(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(ctx: Context) -> str:
        asyncio.create_task(ctx.step.run("pack", pack, "tea")).cancel()
        return "done"

    assert isinstance(await driver(handler).lease(), Completed)
    assert "step 'pack' was called and never awaited" in caplog.text


async def test_steps_that_are_awaited_later_or_again_and_again_are_no_slip() -> None:
    async def handler(ctx: Context) -> str:
        later = ctx.step.run("later", pack, "tea")
        for _ in range(3):
            await ctx.step.run("pack", pack, "cup")
        return await later

    assert isinstance(await driver(handler).lease(), Completed)


async def test_an_error_of_the_handler_comes_before_a_step_that_was_not_awaited() -> None:
    async def handler(ctx: Context) -> None:
        coroutine = ctx.step.run("pack", pack, "tea")
        coroutine.close()
        raise ValueError("no")

    ending = await driver(handler).lease()
    assert isinstance(ending, Retry)
    assert orjson.loads(ending.error)["message"] == "no"
