"""Branches side by side: outcomes come in recorded order, and ids say whose they are."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from stepwell.functions import App, Context
from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Completed, Failed, Suspended
from tests.functions_journal import Driver, ticks, until

Body = Callable[[], Any]


def driver(handler: Any) -> Driver:
    return Driver(App("shop").function(on="order.placed")(handler))


def output(ending: object) -> Any:
    assert isinstance(ending, Completed), ending
    return orjson.loads(ending.output)


def failure(ending: object) -> dict[str, Any]:
    assert isinstance(ending, Failed), ending
    found: dict[str, Any] = orjson.loads(ending.error)
    return found


async def echo(value: Any) -> Any:
    return value


def gated() -> tuple[dict[str, asyncio.Event], Callable[[str], Any]]:
    """Bodies that end when they are told to."""
    gates: dict[str, asyncio.Event] = {}

    async def body(name: str) -> str:
        await gates.setdefault(name, asyncio.Event()).wait()
        return name

    return gates, body


async def test_a_race_has_the_same_winner_at_every_replay() -> None:
    gates, body = gated()

    async def handler(ctx: Context) -> list[str]:
        order: list[str] = []

        async def branch(name: str) -> None:
            order.append(await ctx.step.run(name, body, name))

        await asyncio.gather(branch("a"), branch("b"), branch("c"))
        await ctx.step.sleep("rest", "1h")
        return order

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: len(gates) == 3)
    for name in "cab":
        gates[name].set()
        await until(lambda name=name: name in d.run.rows)  # type: ignore[misc]
    assert isinstance(await task, Suspended)
    assert output(await d.to_end()) == ["c", "a", "b"]


async def test_outcomes_of_one_flush_come_in_the_order_the_steps_were_asked_for() -> None:
    async def handler(ctx: Context) -> list[str]:
        order: list[str] = []

        async def branch(name: str) -> None:
            order.append(await ctx.step.run(name, echo, name))

        await asyncio.gather(*(branch(name) for name in "abcd"))
        return order

    d = driver(handler)
    d.run.turn = 1
    d.run.rows = {name: Outcome(name, "run", "done", 1, 1, 0, orjson.dumps(name)) for name in "dcba"}
    assert output(await d.lease()) == ["a", "b", "c", "d"]


async def test_a_wait_that_ended_before_a_step_is_given_before_it() -> None:
    """The step is acknowledged with turn 2 while nobody has told the run yet that the sleep took turn 1."""
    gates, body = gated()

    async def handler(ctx: Context) -> str:
        work = asyncio.create_task(ctx.step.run("work", body, "work"))
        limit = asyncio.create_task(ctx.step.sleep("limit", "1h"))
        done, _ = await asyncio.wait({work, limit}, return_when=asyncio.FIRST_COMPLETED)
        return "too late" if limit in done else "in time"

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "limit" in d.run.rows and gates)
    await ticks()
    woken = d.run.wake()
    assert woken is not None
    gates["work"].set()
    await until(lambda: "work" in d.run.rows)
    await ticks()
    assert not task.done()
    execution.resolve(woken)
    assert output(await task) == "too late"


async def test_a_turn_that_nobody_tells_of_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.functions.replay.quiescence.GAP_SECONDS", 0.01)

    async def handler(ctx: Context) -> None:
        await asyncio.gather(ctx.step.sleep("nap", "1h"), ctx.step.run("work", echo, 1))

    d = driver(handler)
    execution, _ = d.begin()
    d.run.turn = 5
    assert await execution.run() == Suspended(turn=0), "it has not seen turns 1 to 5, and says so"


async def test_unrecorded_steps_start_at_once_beside_recorded_ones() -> None:
    gates, body = gated()

    async def handler(ctx: Context) -> Any:
        return await asyncio.gather(ctx.step.run("new", body, "new"), ctx.step.run("old", echo, "old"))

    d = driver(handler)
    d.run.turn = 1
    d.run.rows["old"] = Outcome("old", "run", "done", 1, 1, 0, b'"old"')
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: gates)
    gates["new"].set()
    assert output(await task) == ["new", "old"]


async def test_calls_in_one_task_may_repeat_an_id_even_when_they_run_side_by_side() -> None:
    async def handler(ctx: Context) -> Any:
        return await asyncio.gather(*(ctx.step.run("pack", echo, number) for number in range(3)))

    d = driver(handler)
    assert output(await d.lease()) == [0, 1, 2]
    assert sorted(d.run.rows) == ["pack", "pack:1", "pack:2"]


async def test_an_id_may_repeat_before_a_fork_in_the_fork_and_after_the_join() -> None:
    async def handler(ctx: Context) -> None:
        async def branch() -> None:
            await ctx.step.run("x", echo, 1)

        await ctx.step.run("x", echo, 0)
        await asyncio.gather(branch())
        await asyncio.create_task(branch())
        async with asyncio.TaskGroup() as group:
            group.create_task(branch())
        await ctx.step.run("x", echo, 2)

    d = driver(handler)
    assert isinstance(await d.lease(), Completed)
    assert list(d.run.rows) == ["x", "x:1", "x:2", "x:3", "x:4"]


async def side_by_side(ctx: Context) -> None:
    async def branch() -> None:
        await ctx.step.run("x", echo, 1)

    await asyncio.gather(branch(), branch())


async def parent_beside_its_child(ctx: Context) -> None:
    gate = asyncio.Event()

    async def branch() -> None:
        await ctx.step.run("x", echo, 1)
        await gate.wait()

    task = asyncio.create_task(branch())
    await asyncio.sleep(0)
    await ctx.step.run("y", echo, 1)
    await ctx.step.run("x", echo, 1)
    gate.set()
    await task


async def cousins(ctx: Context) -> None:
    async def branch() -> None:
        await ctx.step.run("x", echo, 1)

    async def parent() -> None:
        await asyncio.gather(branch())

    await asyncio.gather(parent(), parent())


@pytest.mark.parametrize("handler", [side_by_side, parent_beside_its_child, cousins])
async def test_branches_side_by_side_may_not_share_an_id(handler: Any) -> None:
    found = failure(await driver(handler).lease())
    assert found["type"] == "DuplicateStep"
    assert found["message"].count(f"{__file__}:") == 2
    assert "'x'" in found["message"]


async def test_a_duplicate_fails_the_run_even_when_the_handler_swallows_it() -> None:
    async def handler(ctx: Context) -> str:
        async def branch() -> None:
            await ctx.step.run("x", echo, 1)

        await asyncio.gather(branch(), branch(), return_exceptions=True)
        await ctx.step.sleep("rest", "1h")
        return "unharmed"

    assert failure(await driver(handler).lease())["type"] == "DuplicateStep"


async def test_another_kind_under_a_recorded_key_is_non_deterministic() -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.run("x", echo, 1)

    async def changed(ctx: Context) -> str:
        try:
            await ctx.step.sleep("x", "1h")
        except Exception:
            return "unharmed"
        return "slept"

    d = driver(handler)
    await d.lease()
    d.function = driver(changed).function
    found = failure(await d.lease())
    assert found["type"] == "NonDeterministic"
    assert "recorded as 'run' and is now asked for as 'sleep'" in found["message"]


async def test_a_step_inside_a_step_is_refused_and_both_are_named() -> None:
    async def handler(ctx: Context) -> None:
        async def outer() -> None:
            await ctx.step.run("inner", echo, 1)

        await ctx.step.run("outer", outer)

    d = driver(handler)
    found = failure(await d.lease())
    assert "step 'inner' is called inside step 'outer'" in found["message"]
    assert list(d.run.rows) == ["outer"]
    assert d.run.rows["outer"].attempts == 1


async def test_a_step_outside_its_run_is_refused() -> None:
    kept: list[Context] = []

    async def handler(ctx: Context) -> None:
        kept.append(ctx)

    await driver(handler).lease()
    with pytest.raises(Exception, match="outside its run"):
        await kept[0].step.run("late", echo, 1)


@pytest.mark.parametrize("id", ["", "x" * 257, "x:1", 7])
async def test_a_step_id_that_cannot_be_one_fails_the_run(id: Any) -> None:
    async def handler(ctx: Context) -> None:
        await ctx.step.run(id, echo, 1)

    assert failure(await driver(handler).lease())["type"] == "InvalidId"


async def test_tasks_made_inside_a_body_are_not_the_runs() -> None:
    kept: list[asyncio.Task[None]] = []

    async def body() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(0.01)))

    async def handler(ctx: Context) -> None:
        await ctx.step.run("body", body)

    assert isinstance(await driver(handler).lease(), Completed)
    await kept[0]


async def test_an_eager_task_factory_of_the_application_does_no_harm() -> None:
    loop = asyncio.get_running_loop()
    eager = getattr(asyncio, "eager_task_factory", None)
    before = loop.get_task_factory()
    loop.set_task_factory(eager)
    try:

        async def handler(ctx: Context) -> Any:
            return await asyncio.gather(*(ctx.step.run(f"s{number}", echo, number) for number in range(3)))

        assert output(await driver(handler).lease()) == [0, 1, 2]
    finally:
        loop.set_task_factory(before)
