"""When a run is suspended, and when not: it depends on what the handler awaits, however it awaits it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import orjson
import pytest
from pydantic import BaseModel, field_validator

from stepwell.functions import App, Context, StepFailed
from stepwell.functions.replay import (
    Completed,
    Ending,
    Execution,
    Failed,
    Suspended,
)
from tests.functions_journal import Driver, MemoryJournal, ticks, until

Handler = Callable[[Context], Awaitable[Any]]


def driver(handler: Handler) -> Driver:
    return Driver(App("shop").function(on="order.placed")(handler))


async def echo(value: Any) -> Any:
    return value


async def nap(ctx: Context) -> None:
    await ctx.step.sleep("nap", "7d")


async def nothing() -> None:
    pass


# All that is awaited is a sleep: suspended, through every way of awaiting


async def through_gather(ctx: Context) -> None:
    await asyncio.gather(nap(ctx), ctx.step.sleep("other", "8d"))


async def through_nested_gathers(ctx: Context) -> None:
    await asyncio.gather(asyncio.gather(asyncio.gather(nap(ctx)), nothing()), nothing())


async def through_a_task(ctx: Context) -> None:
    await asyncio.create_task(nap(ctx))


async def through_shield(ctx: Context) -> None:
    await asyncio.shield(nap(ctx))


async def through_wait(ctx: Context) -> None:
    await asyncio.wait({asyncio.create_task(nap(ctx)), asyncio.create_task(nothing())})


async def through_wait_for_without_timeout(ctx: Context) -> None:
    await asyncio.wait_for(nap(ctx), None)


async def through_a_task_group(ctx: Context) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(nap(ctx))
        group.create_task(nothing())


async def through_an_anyio_group(ctx: Context) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(nap, ctx)


async def through_an_async_generator(ctx: Context) -> None:
    async def each() -> AsyncIterator[int]:
        for number in range(2):
            await ctx.step.sleep(f"nap-{number}", "7d")
            yield number

    async for _ in each():
        pass


async def through_as_completed(ctx: Context) -> None:
    for future in asyncio.as_completed([nap(ctx)]):
        await future


async def through_a_lock(ctx: Context) -> None:
    lock = asyncio.Lock()

    async def one(number: int) -> None:
        async with lock:
            await ctx.step.sleep(f"nap-{number}", "7d")

    await asyncio.gather(one(1), one(2))


async def through_a_queue(ctx: Context) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def produce() -> None:
        await nap(ctx)
        queue.put_nowait(1)

    task = asyncio.create_task(produce())
    await queue.get()
    await task


async def beside_a_heartbeat_nobody_awaits(ctx: Context) -> None:
    async def beat() -> None:
        while True:  # noqa: ASYNC110 - what users write
            await asyncio.sleep(3600)

    task = asyncio.create_task(beat())
    await nap(ctx)
    task.cancel()


async def after_a_timeout_that_is_over(ctx: Context) -> None:
    async with asyncio.timeout(3600) as clock:
        await asyncio.sleep(0)
    await nap(ctx)
    assert not clock.expired()


WAYS = [
    nap,
    through_gather,
    through_nested_gathers,
    through_a_task,
    through_shield,
    through_wait,
    through_wait_for_without_timeout,
    through_a_task_group,
    through_an_anyio_group,
    through_an_async_generator,
    through_as_completed,
    through_a_lock,
    through_a_queue,
    beside_a_heartbeat_nobody_awaits,
    after_a_timeout_that_is_over,
]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.functions.replay.quiescence.PRESUMED_SECONDS", 0.01)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("handler", WAYS)
async def test_suspended_when_all_it_awaits_is_a_durable_wait(handler: Handler) -> None:
    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    assert isinstance(await d.to_end(), Completed)


@pytest.mark.usefixtures("hasty")
async def test_a_presumed_suspension_asks_for_another_look_soon() -> None:
    assert await driver(through_a_lock).lease() == Suspended(turn=0, within=60_000)
    assert await driver(through_gather).lease() == Suspended(turn=0)


# Something else is under way: not suspended


async def stays(handler: Handler) -> tuple[Execution, asyncio.Task[Ending], MemoryJournal, Driver]:
    d = driver(handler)
    execution, journal = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: d.run.rows)
    await ticks(200)
    assert not task.done()
    return execution, task, journal, d


async def wake(d: Driver, execution: Execution) -> None:
    woken = d.run.wake()
    assert woken is not None
    execution.resolve(woken)


@contextlib.asynccontextmanager
async def hidden_timeout() -> AsyncGenerator[None]:
    async with asyncio.timeout(3600):
        yield


@contextlib.asynccontextmanager
async def stacked_timeout() -> AsyncGenerator[None]:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(3600))
        yield


async def inside_a_timeout(ctx: Context) -> None:
    async with asyncio.timeout(3600):
        await nap(ctx)


async def inside_wait_for(ctx: Context) -> None:
    await asyncio.wait_for(nap(ctx), 3600)


async def inside_a_timed_wait(ctx: Context) -> None:
    await asyncio.wait({asyncio.create_task(nap(ctx))}, timeout=3600)


async def inside_an_anyio_scope(ctx: Context) -> None:
    with anyio.move_on_after(3600):
        await nap(ctx)


async def inside_fail_after(ctx: Context) -> None:
    with anyio.fail_after(3600):
        await asyncio.gather(nap(ctx))


async def inside_a_hidden_timeout(ctx: Context) -> None:
    async with hidden_timeout():
        await nap(ctx)


async def inside_a_stacked_timeout(ctx: Context) -> None:
    async with stacked_timeout():
        await nap(ctx)


@pytest.mark.parametrize(
    "handler",
    [
        inside_a_timeout,
        inside_wait_for,
        inside_a_timed_wait,
        inside_an_anyio_scope,
        inside_fail_after,
        inside_a_hidden_timeout,
        inside_a_stacked_timeout,
    ],
)
async def test_a_timer_in_memory_keeps_the_run(handler: Handler) -> None:
    execution, task, _, d = await stays(handler)
    await wake(d, execution)
    assert isinstance(await task, Completed)


async def test_plain_input_and_output_keeps_the_run_until_it_is_done() -> None:
    io: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def handler(ctx: Context) -> None:
        async def fetch() -> None:
            await io

        await asyncio.gather(nap(ctx), fetch())

    _, task, _, _ = await stays(handler)
    io.set_result(None)
    assert isinstance(await task, Suspended)


async def test_a_step_in_flight_keeps_the_run() -> None:
    gate = asyncio.Event()

    async def handler(ctx: Context) -> None:
        await asyncio.gather(nap(ctx), ctx.step.run("work", gate.wait))

    _, task, _, d = await stays(handler)
    gate.set()
    assert isinstance(await task, Suspended)
    assert d.run.rows["work"].state == "done"


async def test_a_task_of_somebody_else_keeps_the_run() -> None:
    other = asyncio.create_task(asyncio.Event().wait())

    async def handler(ctx: Context) -> None:
        await asyncio.gather(nap(ctx), other)

    execution, task, _, _ = await stays(handler)
    execution.abandon()
    await task
    assert other.cancelled()


async def test_code_that_spins_keeps_the_run_but_gets_its_outcomes() -> None:
    async def handler(ctx: Context) -> list[Any]:
        async def spin(task: asyncio.Task[Any]) -> None:
            while not task.done():  # noqa: ASYNC110 - what users write
                await asyncio.sleep(0)

        steps = asyncio.create_task(ctx.step.run("a", echo, 1))
        await spin(steps)
        naps = asyncio.create_task(nap(ctx))
        await spin(naps)
        return [await steps]

    execution, task, _, d = await stays(handler)
    await until(lambda: "nap" in d.run.rows)
    await wake(d, execution)
    ending = await task
    assert isinstance(ending, Completed)
    assert orjson.loads(ending.output) == [1]


async def test_a_timeout_in_memory_ends_a_wait_and_the_handler_goes_on() -> None:
    async def handler(ctx: Context) -> str:
        try:
            async with asyncio.timeout(0.01):
                await nap(ctx)
        except TimeoutError:
            return "too late"
        return "slept"

    ending = await driver(handler).lease()
    assert isinstance(ending, Completed)
    assert orjson.loads(ending.output) == "too late"


# Unwinding: decided first, and then nothing the handler does counts


async def bare_except(ctx: Context) -> str:
    try:
        await nap(ctx)
    except:  # noqa: E722
        return "swallowed"
    return "slept"


async def suppressed(ctx: Context) -> str:
    with contextlib.suppress(BaseException):
        await nap(ctx)
        return "slept"
    return "swallowed"


async def raises_while_unwound(ctx: Context) -> str:
    try:
        await nap(ctx)
    except BaseException:
        raise ValueError("while unwound") from None
    return "slept"


async def cleans_up_with_a_step(ctx: Context) -> str:
    try:
        await nap(ctx)
    finally:
        await ctx.step.run("cleanup", echo, 1)
    return "slept"


async def closes_with_input_and_output(ctx: Context) -> str:
    @contextlib.asynccontextmanager
    async def connection() -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0.01)

    async with connection():
        await nap(ctx)
    return "slept"


async def insists(ctx: Context) -> str:
    slept = False
    while not slept:
        try:
            await ctx.step.sleep("nap", "7d")
            slept = True
        except asyncio.CancelledError:
            continue
    return "slept"


async def group_that_fails(ctx: Context) -> str:
    async def cleanup() -> None:
        try:
            await nap(ctx)
        except asyncio.CancelledError:
            raise ValueError("in cleanup") from None

    async with asyncio.TaskGroup() as group:
        group.create_task(cleanup())
    return "slept"


async def failed_step_is_no_suspension(ctx: Context) -> str:
    try:
        await nap(ctx)
    except StepFailed:
        return "failed"
    return "slept"


@pytest.mark.parametrize(
    "handler",
    [
        bare_except,
        suppressed,
        raises_while_unwound,
        cleans_up_with_a_step,
        closes_with_input_and_output,
        insists,
        group_that_fails,
        failed_step_is_no_suspension,
    ],
)
async def test_no_handler_can_swallow_its_suspension(handler: Handler) -> None:
    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    assert list(d.run.rows) == ["nap"]
    if handler is not insists:
        ending = await d.to_end()
        assert isinstance(ending, Completed)
        assert orjson.loads(ending.output) == "slept"


async def test_asyncio_wait_does_not_take_an_unwound_branch_for_an_ended_one() -> None:
    seen: list[int] = []

    async def handler(ctx: Context) -> None:
        done, _ = await asyncio.wait(
            {asyncio.create_task(nap(ctx)), asyncio.create_task(ctx.step.sleep("other", "8d"))}
        )
        seen.append(len(done))

    d = driver(handler)
    await d.lease()
    assert seen == []


async def test_tasks_end_with_the_handler() -> None:
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("background")

    async def handler(ctx: Context) -> str:
        handler_tasks.append(asyncio.create_task(background()))
        await asyncio.sleep(0)
        return "done"

    handler_tasks: list[asyncio.Task[None]] = []
    assert isinstance(await driver(handler).lease(), Completed)
    assert ended == ["background"]


async def test_a_step_nobody_awaits_does_not_run_after_the_end(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(ctx: Context) -> str:
        async def late() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await ctx.step.run("late", echo, 1)

        tasks.append(asyncio.create_task(late()))
        await asyncio.sleep(0)
        return "done"

    tasks: list[asyncio.Task[None]] = []
    d = driver(handler)
    assert isinstance(await d.lease(), Completed)
    assert d.run.rows == {}
    assert "step 'late' does not run" in caplog.text


class Priced(BaseModel):
    total: int

    @field_validator("total")
    @classmethod
    def positive(cls, total: int) -> int:
        if total < 1:
            raise ValueError("a total is above zero")
        return total


async def test_what_a_validator_says_of_data_is_said_in_its_own_words() -> None:
    async def handler(ctx: Context[Priced]) -> None:
        raise AssertionError

    d = driver(handler)
    d.run.data = {"total": 0}
    ending = await d.lease()
    assert isinstance(ending, Failed)
    message = orjson.loads(ending.error)["message"]
    assert (
        message == "shop/handler: the event's data is not what the handler takes: total: a total is above zero (got 0)"
    )


async def test_data_that_does_not_validate_fails_before_the_handler_is_called() -> None:
    async def handler(ctx: Context[int]) -> None:
        raise AssertionError

    d = driver(handler)
    d.run.data = {"total": 1}
    ending = await d.lease()
    assert isinstance(ending, Failed)
    assert "shop/handler: the event's data is not what the handler takes" in orjson.loads(ending.error)["message"]
