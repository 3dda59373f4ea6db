"""`def` handlers and `def` bodies: in threads, with the same promises."""

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import orjson

from stepwell.functions import App, Context, MisplacedStep, NonRetriable, Retries, StepFailed, SyncContext
from stepwell.functions.replay import Cancelled, Completed, Failed, Released, Retry, Suspended, Threads
from tests.functions_journal import Driver, ticks, until


def driver(handler: Any, retries: int | Retries | None = None) -> Driver:
    return Driver(App("shop").function(on="order.placed", retries=retries)(handler))


def output(ending: object) -> Any:
    assert isinstance(ending, Completed), ending
    return orjson.loads(ending.output)


def failure(ending: object) -> dict[str, Any]:
    assert isinstance(ending, (Failed, Retry)), ending
    found: dict[str, Any] = orjson.loads(ending.error)
    return found


def echo(value: Any) -> Any:
    return value


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def awhile(condition: Callable[[], object]) -> None:
    """Until another thread has done something."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it never came to hold")


async def test_a_handler_sleeps_repeats_and_completes() -> None:
    counted: list[int] = []

    def work(number: int) -> int:
        counted.append(number)
        return number

    def handler(ctx: SyncContext) -> list[int]:
        done: list[int] = []
        for number in range(3):
            done.append(ctx.step.run("work", work, number))
            ctx.step.sleep("rest", "1h")
        ctx.step.sleep_until("past", "2001-01-01T00:00:00Z")
        done.append(len(ctx.step.send("tell", {"name": "order.packed"})))
        return done

    d = driver(handler)
    assert output(await d.to_end()) == [0, 1, 2, 1]
    assert counted == [0, 1, 2]
    assert [type(ending) for ending in d.endings] == [Suspended] * 3 + [Completed]
    assert list(d.run.rows) == ["work", "rest", "work:1", "rest:1", "work:2", "rest:2", "past", "tell"]


async def test_a_handler_does_not_hold_up_the_loop() -> None:
    release = threading.Event()

    def handler(ctx: SyncContext) -> None:
        release.wait(10)

    execution, _ = driver(handler).begin()
    task = asyncio.ensure_future(execution.run())
    await ticks()
    release.set()
    assert isinstance(await task, Completed)


async def test_a_body_runs_in_the_handlers_own_thread_and_an_async_one_on_the_loop() -> None:
    def handler(ctx: SyncContext) -> bool:
        loop_thread = ctx.step.run("where", where)
        own = ctx.step.run("here", threading.get_ident)
        return own == threading.get_ident() and own != loop_thread

    async def where() -> int:
        return threading.get_ident()

    assert output(await driver(handler).lease()) is True


async def test_parallel_branches_run_side_by_side_and_are_suspended_together() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(value: int) -> int:
        both.wait()
        return value

    def handler(ctx: SyncContext) -> list[int]:
        def branch(name: str, value: int) -> int:
            got = ctx.step.run(name, meet, value)
            ctx.step.sleep(f"{name}-rest", "1h")
            return got

        return list(ctx.step.parallel(lambda: branch("a", 1), lambda: branch("b", 2)))

    d = driver(handler)
    assert output(await d.to_end()) == [1, 2]
    assert [type(ending) for ending in d.endings] == [Suspended, Suspended, Completed]


async def test_parallel_within_parallel() -> None:
    def handler(ctx: SyncContext) -> Any:
        def inner(name: str) -> tuple[int, int]:
            return ctx.step.parallel(
                lambda: ctx.step.run(f"{name}1", echo, 1), lambda: ctx.step.run(f"{name}2", later, 2)
            )

        return ctx.step.parallel(lambda: inner("a"), lambda: inner("b"))

    assert output(await driver(handler).lease()) == [[1, 2], [1, 2]]


async def test_parallel_waits_for_all_and_raises_the_first_error() -> None:
    def handler(ctx: SyncContext) -> str:
        def broken(name: str) -> None:
            ctx.step.sleep(name, "1m")
            raise NonRetriable(name)

        try:
            ctx.step.parallel(lambda: broken("a"), lambda: broken("b"), lambda: ctx.step.run("c", echo, 1))
        except NonRetriable as error:
            return str(error)
        return "unharmed"

    assert output(await driver(handler).to_end()) == "a"


async def test_parallel_branches_may_not_share_an_id() -> None:
    def handler(ctx: SyncContext) -> None:
        ctx.step.parallel(lambda: ctx.step.run("x", echo, 1), lambda: ctx.step.run("x", echo, 2))

    found = failure(await driver(handler).lease())
    assert found["type"] == "DuplicateStep"
    assert found["message"].count(f"{__file__}:") == 2


async def test_failures_retries_and_compensation() -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(1)
        raise ValueError("no")

    def handler(ctx: SyncContext) -> str:
        try:
            ctx.step.options(retries=2).run("flaky", flaky)
        except StepFailed as failed:
            return failed.message
        return "fine"

    d = driver(handler)
    assert output(await d.to_end()) == "no"
    assert len(tries) == 3


async def test_an_error_outside_steps_is_retried() -> None:
    def handler(ctx: SyncContext) -> int:
        if ctx.attempt == 0:
            raise ValueError("outside")
        return ctx.attempt

    d = driver(handler, 1)
    assert output(await d.to_end()) == 1
    assert failure(d.endings[0])["traceback"][-1]["function"].endswith("handler")


async def test_a_step_inside_a_step_is_refused_without_a_deadlock() -> None:
    def handler(ctx: SyncContext) -> None:
        ctx.step.run("outer", lambda: ctx.step.run("inner", echo, 1))

    assert "step 'inner' is called inside step 'outer'" in failure(await driver(handler, 0).lease())["message"]


async def test_a_step_from_a_thread_of_ones_own_is_refused() -> None:
    refused: list[Exception] = []

    def handler(ctx: SyncContext) -> None:
        def own() -> None:
            try:
                ctx.step.run("x", echo, 1)
            except MisplacedStep as error:
                refused.append(error)

        thread = threading.Thread(target=own)
        thread.start()
        thread.join()

    assert isinstance(await driver(handler).lease(), Completed)
    assert "step.parallel" in str(refused[0])


async def test_a_handler_cannot_swallow_its_suspension() -> None:
    def handler(ctx: SyncContext) -> str:
        try:
            ctx.step.sleep("nap", "1h")
        except:  # noqa: E722
            return "swallowed"
        return "slept"

    d = driver(handler)
    assert isinstance(await d.lease(), Suspended)
    assert output(await d.to_end()) == "slept"


async def test_code_outside_steps_keeps_the_run() -> None:
    release = threading.Event()

    def handler(ctx: SyncContext) -> None:
        ctx.step.parallel(lambda: ctx.step.sleep("nap", "1h"), lambda: release.wait(10))

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "nap" in d.run.rows)
    await ticks(200)
    assert not task.done()
    release.set()
    assert isinstance(await task, Suspended)


async def test_outcomes_of_a_branch_do_not_wait_for_another_branchs_input_and_output() -> None:
    release = threading.Event()

    def handler(ctx: SyncContext) -> None:
        def steps() -> None:
            for number in range(3):
                ctx.step.run(f"s{number}", echo, number)
            release.set()

        ctx.step.parallel(steps, lambda: release.wait(10))

    assert isinstance(await driver(handler).lease(), Completed)
    assert release.is_set()


async def test_cancel_reaches_a_thread_at_its_next_step_and_cleanup_runs() -> None:
    arrived, go_on = threading.Event(), threading.Event()

    def handler(ctx: SyncContext) -> None:
        arrived.set()
        go_on.wait(10)
        try:
            ctx.step.run("never", echo, 1)
        except asyncio.CancelledError:
            ctx.step.run("refund", echo, 1)

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await awhile(arrived.is_set)
    execution.cancel()
    await ticks()
    go_on.set()
    assert await task == Cancelled()
    assert list(d.run.rows) == ["refund"]


async def test_cancel_wakes_a_sleeping_thread() -> None:
    async def hold() -> None:
        await asyncio.get_running_loop().create_future()

    def handler(ctx: SyncContext) -> None:
        ctx.step.parallel(lambda: ctx.step.sleep("nap", "1h"), lambda: ctx.step.run("hold", hold))

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await until(lambda: "nap" in d.run.rows)
    execution.cancel()
    assert await task == Cancelled()


async def test_a_lost_lease_unwinds_a_thread() -> None:
    def handler(ctx: SyncContext) -> None:
        try:
            ctx.step.run("one", echo, 1)
        finally:
            ctx.step.run("two", echo, 2)

    d = driver(handler)
    assert await d.lease(lose_after=1) == Released()
    assert list(d.run.rows) == ["one"]


async def test_a_drain_lets_a_body_in_a_thread_finish() -> None:
    started, finish = threading.Event(), threading.Event()

    def slow() -> int:
        started.set()
        finish.wait(10)
        return 1

    def handler(ctx: SyncContext) -> None:
        ctx.step.run("slow", slow)
        ctx.step.run("next", echo, 1)

    d = driver(handler)
    execution, _ = d.begin()
    task = asyncio.ensure_future(execution.run())
    await awhile(started.is_set)
    execution.drain()
    finish.set()
    assert await task == Released()
    assert list(d.run.rows) == ["slow"]


async def test_a_timeout_does_not_wait_for_a_body_that_hangs_in_a_thread() -> None:
    release = threading.Event()

    def handler(ctx: SyncContext) -> str:
        try:
            ctx.step.options(retries=0, timeout="5ms").run("hangs", release.wait)
        except StepFailed as failed:
            return failed.type
        return "fine"

    assert output(await driver(handler).lease()) == "TimeoutError"
    release.set()


async def test_a_def_body_of_an_async_handler_runs_in_a_thread() -> None:
    def where() -> int:
        return threading.get_ident()

    async def handler(ctx: Context) -> bool:
        one, two = await asyncio.gather(ctx.step.run("one", where), ctx.step.run("two", lambda: later(2)))
        return [one != threading.get_ident(), two] == [True, 2]

    assert output(await driver(handler).lease()) is True


async def test_a_def_body_that_raises_what_a_generator_may_not() -> None:
    def stop() -> None:
        raise StopIteration("odd")

    async def handler(ctx: Context) -> None:
        await ctx.step.run("stop", stop)

    assert "StopIteration" in failure(await driver(handler, 0).lease())["message"]


async def test_threads_are_counted_and_used_again() -> None:
    threads = Threads(2)
    idents: set[int] = set()
    for _ in range(20):
        value, error = await threads.call(asyncio.get_running_loop(), threading.get_ident)
        assert error is None
        idents.add(value)
    assert len(idents) <= 2
    assert threads.free == 2
    d = driver(lambda_free(threads))
    d.threads = threads
    assert output(await d.lease()) == 1
    assert threads.free == 2
    threads.close()


def lambda_free(threads: Threads) -> Any:
    def handler(ctx: SyncContext) -> int:
        return threads.free

    return handler


async def test_more_bodies_than_threads_wait_for_their_turn() -> None:
    threads = Threads(2)
    loop = asyncio.get_running_loop()
    results = await asyncio.gather(*(threads.call(loop, lambda number=number: number) for number in range(50)))  # type: ignore[misc]
    assert [value for value, _ in results] == list(range(50))
    threads.close()


async def test_closed_threads_end() -> None:
    threads = Threads(3)
    await threads.call(asyncio.get_running_loop(), lambda: None)
    threads.close()
    await awhile(lambda: not any(thread.name.startswith("stepwell-body") for thread in alive(threads)))


def alive(threads: Threads) -> list[threading.Thread]:
    gc.collect()
    return [
        thread
        for thread in threading.enumerate()
        if getattr(getattr(thread, "_target", None), "__self__", None) is threads._bodies  # pyright: ignore[reportPrivateUsage]
    ]
