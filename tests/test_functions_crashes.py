"""Whatever crashes, and whenever: no recorded step is done again, and the end is that of a straight run."""

import asyncio
import gc
import random
import tracemalloc
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepwell.functions import App, Context, InvokeFailed, NonRetriable, Retries, StepFailed, SyncContext, on_event
from stepwell.functions.journal import Outcome
from stepwell.functions.replay import Completed, Execution, Released, Start, Suspended, Threads
from stepwell.functions.replay.ending import Ending, Retry
from tests.functions_journal import Driver, MemoryJournal, Run


@dataclass
class Ledger:
    """What was really done, seen from outside."""

    run: Run = field(default_factory=Run)  # set to the run whose steps these are
    done: Counter[str] = field(default_factory=Counter[str])
    failures: Counter[str] = field(default_factory=Counter[str])
    again: list[str] = field(default_factory=list[str])  # what was done though it was recorded

    async def work(self, name: str, fails: int = 0) -> str:
        self._do(name)
        await asyncio.sleep(0)
        if self.failures[name] < fails:
            self.failures[name] += 1
            raise ValueError(name)
        return name

    async def refuse(self, name: str) -> str:
        self._do(name)
        raise NonRetriable(name)

    def _do(self, name: str) -> None:
        row = self.run.rows.get(name)
        if row is not None and row.ended:
            self.again.append(name)
        self.done[name] += 1


def story(ledger: Ledger) -> Any:
    """A handler with a bit of everything."""

    async def handler(ctx: Context) -> list[Any]:
        seen: list[Any] = [await ctx.step.run("charge", ledger.work, "charge", fails=1)]

        async def branch(name: str) -> None:
            seen.append(await ctx.step.run(name, ledger.work, name))
            await ctx.step.sleep(f"{name}-rest", "1m")
            seen.append(await ctx.step.run(f"{name}-after", ledger.work, f"{name}-after"))
            seen.append(await ctx.step.wait_for_event(f"{name}-event", name, timeout="2m"))

        await asyncio.gather(branch("a"), branch("b"))
        try:
            await ctx.step.run("refused", ledger.refuse, "refused")
        except StepFailed as error:
            seen.append(error.message)
        seen.append(await ctx.step.send("tell", {"name": "order.packed", "data": {}}))
        await ctx.step.sleep("rest", "1h")
        first = await ctx.step.wait_for_any("first", {"event": on_event("event"), "time": "1m"})
        try:
            await ctx.step.invoke("other", "shop/other", timeout="1m")
        except InvokeFailed as error:
            seen.extend([first.name, error.type])
        seen.append(await ctx.step.run("last", ledger.work, "last"))
        return seen

    return App("shop").function(on="a", retries=Retries(2, delay="1s"))(handler)


def sync_story(ledger: Ledger) -> Any:
    def handler(ctx: SyncContext) -> list[Any]:
        seen: list[Any] = [ctx.step.run("charge", ledger.work, "charge", fails=1)]

        def branch(name: str) -> list[str]:
            first = ctx.step.run(name, ledger.work, name)
            ctx.step.sleep(f"{name}-rest", "1m")
            ctx.step.wait_for_event(f"{name}-event", name, timeout="2m")
            return [first, ctx.step.run(f"{name}-after", ledger.work, f"{name}-after")]

        seen.extend(ctx.step.parallel(lambda: branch("a"), lambda: branch("b")))
        seen.append(ctx.step.send("tell", {"name": "order.packed", "data": {}}))
        ctx.step.sleep("rest", "1h")
        return seen

    return App("shop").function(on="a", retries=Retries(2, delay="1s"))(handler)


@pytest.mark.parametrize("fault", ["crash_after", "lose_after", "unavailable_after"])
@pytest.mark.parametrize("make", [story, sync_story])
async def test_a_fault_after_every_call_of_the_journal(make: Any, fault: str) -> None:
    straight = Driver(make(Ledger()))
    expected = await straight.to_end()
    assert isinstance(expected, Completed)
    for number in range(1, 30):
        ledger = Ledger()
        d = Driver(make(ledger))
        ledger.run = d.run
        assert await faulty(d, fault, number) == expected, f"{fault} {number}"
        assert ledger.again == []
        assert d.run.sent.keys() == {"tell"}


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})])
@pytest.mark.parametrize("make", [story, sync_story])
async def test_it_is_the_same_on_uvloop(make: Any) -> None:
    assert isinstance(await Driver(make(Ledger())).to_end(), Completed)


async def faulty(d: Driver, fault: str, number: int) -> Ending:
    """To the end, with a fault after each `number` calls; a lease that gets fewer calls done has none."""
    for _ in range(100):
        ending = await d.lease(**{fault: number})
        number += isinstance(ending, Released)
        if isinstance(ending, Retry):
            d.run.attempt += 1
        elif isinstance(ending, Suspended):
            d.run.wake()
        elif not isinstance(ending, Released):
            return ending
    raise AssertionError("no end")


# Random programs


@dataclass(frozen=True)
class Work:
    fails: int


@dataclass(frozen=True)
class Sleep:
    minutes: int


@dataclass(frozen=True)
class Await:
    kind: str
    minutes: int


@dataclass(frozen=True)
class Fork:
    branches: tuple[tuple[Any, ...], ...]
    how: str


def programs() -> st.SearchStrategy[tuple[Any, ...]]:
    leaf = st.one_of(
        st.builds(Work, st.sampled_from([0, 0, 0, 1, 5])),
        st.builds(Sleep, st.integers(0, 3)),
        st.builds(Await, st.sampled_from(["event", "any", "invoke"]), st.integers(0, 3)),
    )
    return st.recursive(
        st.lists(leaf, max_size=3).map(tuple),
        lambda inner: st.lists(
            st.one_of(
                leaf,
                st.builds(
                    Fork,
                    st.lists(inner, min_size=1, max_size=3).map(tuple),
                    st.sampled_from(["gather", "group", "race", "completed"]),
                ),
            ),
            max_size=3,
        ).map(tuple),
        max_leaves=8,
    )


class Interpreter:
    """Runs a random program as a handler; what happens, in the order in which it happens, is its output."""

    def __init__(self, program: tuple[Any, ...], ledger: Ledger) -> None:
        self.program = program
        self.ledger = ledger

    async def handler(self, ctx: Context) -> list[str]:
        trace: list[str] = []
        await self.block(ctx, self.program, "p", trace)
        return trace

    async def block(self, ctx: Context, block: Sequence[Any], path: str, trace: list[str]) -> None:
        for index, item in enumerate(block):
            await self.item(ctx, item, f"{path}.{index}", trace)

    async def item(self, ctx: Context, item: Any, path: str, trace: list[str]) -> None:
        match item:
            case Work(fails):
                try:
                    trace.append(await ctx.step.run(path, self.ledger.work, path, fails=fails))
                except StepFailed as error:
                    trace.append(f"{path} {error.type}")
            case Sleep(minutes):
                await ctx.step.sleep(path, minutes * 60)
                trace.append(path)
            case Await(kind, minutes):
                came = await getattr(self, kind)(ctx, path, minutes * 60)
                trace.extend([path, f"at {path}: {came}"])
            case Fork(branches, how):
                coroutines = [
                    self.block(ctx, branch, f"{path}b{number}", trace) for number, branch in enumerate(branches)
                ]
                await getattr(self, how)(coroutines, trace)
            case _:
                raise AssertionError(item)

    async def event(self, ctx: Context, path: str, seconds: int) -> str:
        event = await ctx.step.wait_for_event(path, path, timeout=seconds)
        return "nothing came" if event is None else f"{event.name} came"

    async def any(self, ctx: Context, path: str, seconds: int) -> str:
        first = await ctx.step.wait_for_any(path, {"event": on_event(path), "time": seconds})
        return f"{first.name} came"

    async def invoke(self, ctx: Context, path: str, seconds: int) -> str:
        try:
            return f"{await ctx.step.invoke(path, 'shop/other', timeout=seconds)} came"
        except InvokeFailed as error:
            return f"{error.type} came"

    async def gather(self, coroutines: list[Any], trace: list[str]) -> None:
        await asyncio.gather(*coroutines)

    async def group(self, coroutines: list[Any], trace: list[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for coroutine in coroutines:
                group.create_task(coroutine)

    async def race(self, coroutines: list[Any], trace: list[str]) -> None:
        tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        trace.append("won by " + ",".join(str(number) for number, task in enumerate(tasks) if task.done()))
        await asyncio.gather(*tasks)

    async def completed(self, coroutines: list[Any], trace: list[str]) -> None:
        pending = {asyncio.create_task(coroutine) for coroutine in coroutines}
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            trace.append(f"done {len(done)}")


async def live(d: Driver, rng: random.Random, faults: bool) -> Ending:
    """To the end, with waits that end at any time, live or suspended, and crashes at any call."""
    for _ in range(300):
        execution, journal = d.begin(crash_after=rng.choice([None, None, 1, 2, 3, 5]) if faults else None)
        task = asyncio.ensure_future(execution.run())
        while not task.done():
            await asyncio.sleep(0)
            if journal.crashed.is_set():
                execution.abandon()
            elif faults and rng.random() < 0.02 and d.run.due():
                woken = stirred(d.run, rng) or d.run.wake()
                assert woken is not None
                await asyncio.sleep(0)
                execution.resolve(woken)
        ending = task.result()
        match ending:
            case Suspended():
                if ending.turn == d.run.turn and not ready(d.run):
                    assert stirred(d.run, rng) or d.run.wake(), "suspended with nothing to wait for"
            case Released():
                pass
            case _:
                return ending
    raise AssertionError("no end")


def stirred(run: Run, rng: random.Random) -> Outcome | None:
    """At times, ends a wait before its time: with an event, or because what was invoked has ended."""
    waiting = [key for key in run.waiting if run.rows[key].state == "pending"]
    if not waiting or rng.random() < 0.5:
        return None
    key = rng.choice(waiting)
    if not run.waiting[key].function:
        [ended] = run.deliver(key, {})
        return ended
    return run.complete(key, "output") if rng.random() < 0.5 else run.fail(key, "ValueError", "no")


@given(program=programs(), seed=st.integers(0, 2**16))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_random_programs_end_alike_however_often_they_are_interrupted(program: tuple[Any, ...], seed: int) -> None:
    async def check() -> None:
        ledger = Ledger()
        function = App("shop").function(on="a", retries=Retries(1, delay="30s", jitter="none"))(
            Interpreter(program, ledger).handler
        )
        d = Driver(function)
        ledger.run = d.run
        ending = await live(d, random.Random(seed), faults=True)
        assert isinstance(ending, Completed), ending
        assert sorted(done_by(orjson.loads(ending.output))) == sorted(done_by(straight(program)))
        assert ledger.again == []
        # And once more from the finished record alone: the very same trace, and nothing is done.
        before = ledger.done.copy()
        again = await d.lease()
        assert again == ending
        assert ledger.done == before
        d.threads.close()

    asyncio.run(check())


def ready(run: Run) -> list[Outcome]:
    """Steps that are to be tried again and could be at once."""
    return [row for row in run.rows.values() if row.state == "retrying" and not row.due]


def done_by(trace: list[str]) -> list[str]:
    return [line for line in trace if line.startswith("p")]


def straight(block: Sequence[Any], path: str = "p") -> list[str]:
    """What the program does, in no order that matters."""
    lines: list[str] = []
    for index, item in enumerate(block):
        at = f"{path}.{index}"
        match item:
            case Work(fails):
                lines.append(f"{at} ValueError" if fails > 1 else at)
            case Sleep() | Await():
                lines.append(at)
            case Fork(branches):
                for number, branch in enumerate(branches):
                    lines += straight(branch, f"{at}b{number}")
            case _:
                raise AssertionError(item)
    return lines


# Memory


def sleeper() -> Any:
    async def handler(ctx: Context) -> None:
        async def branch(number: int) -> None:
            await ctx.step.sleep(f"nap-{number}", "1d")

        await asyncio.gather(
            branch(0),
            branch(1),
            ctx.step.wait_for_event("event", "event", timeout="1d"),
            ctx.step.wait_for_any("any", {"event": on_event("event"), "time": "1d"}),
            ctx.step.invoke("invoke", "shop/other"),
        )

    return App("shop").function(on="a")(handler)


async def suspend(function: Any, threads: Threads) -> weakref.ref[Execution]:
    journal = MemoryJournal(Run())
    outcomes: list[Outcome] = []
    event = {"id": "1", "name": "a", "data": {"pad": "x" * 1000}, "ts": 1}
    execution = Execution(function, Start("run", function.name, [event], 0, 1, outcomes, 0), journal, threads)
    assert await execution.run() == Suspended(turn=0)
    return weakref.ref(execution)


async def test_two_thousand_suspended_executions_leave_nothing_behind() -> None:
    function, threads = sleeper(), Threads()
    kept: list[weakref.ref[Execution]] = []
    tracemalloc.start()
    try:
        # The first hundreds fill caches of the interpreter and of asyncio.
        for _ in range(4):
            kept += await asyncio.gather(*(suspend(function, threads) for _ in range(100)))
        sizes = [traced()]
        for _ in range(4):
            for _ in range(5):
                kept += await asyncio.gather(*(suspend(function, threads) for _ in range(100)))
            sizes.append(traced())
    finally:
        tracemalloc.stop()
    assert [one for one in kept if one() is not None] == []
    # What other tests have left to be filled is filled once; what is not freed comes with every run.
    least = min(after - before for before, after in pairwise(sizes))
    references = 500 * 100
    assert least < references + 15_000, f"{least / 500:.0f} bytes a run"


def traced() -> int:
    """Bytes in use that were allocated since tracing began."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_a_suspended_run_is_freed_without_the_garbage_collector() -> None:
    function, threads = sleeper(), Threads()
    await suspend(function, threads)
    gc.collect()
    gc.disable()
    try:
        kept = [await suspend(function, threads) for _ in range(20)]
        await asyncio.sleep(0)
        assert [one for one in kept if one() is not None] == []
    finally:
        gc.enable()
