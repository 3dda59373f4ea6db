"""Stories of runs that invoke others, told on every kind of Redis."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from stepwell.functions import App, Concurrency, Context, Idempotency, InvokeFailed, NonRetriable, SyncContext
from stepwell.platform.codec import decode
from stepwell.platform.engine.runs import Resolved, Runs
from stepwell.platform.errors import StoreFull
from stepwell.platform.records import RunRecord, Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness


async def child_of(platform: Harness, run: str, key: str) -> str:
    """The run that a step has invoked."""
    found: list[bytes | None] = []

    async def known() -> bool:
        home = platform.partition_of(run)
        found[:] = [await home.read("HGET", home.keys.name("k_run", run), f"k:{key}")]
        return found[0] is not None

    await platform.eventually(known)
    assert found[0]
    return found[0].decode()


async def ended(platform: Harness, run: str) -> RunRecord:
    """A run once it has ended, and everybody was told of it."""

    async def over() -> bool:
        await platform.waits.errands.empty()
        return (await platform.run(run)).status.ended

    await platform.eventually(over)
    return await platform.run(run)


async def test_a_child_gets_its_data_and_gives_its_output(store: Store) -> None:
    app = App("shop")

    @app.function(on="never")
    async def price(ctx: Context[dict[str, int]]) -> int:
        return await ctx.step.run("double", lambda: ctx.data["n"] * 2)

    @app.function(on="go")
    async def total(ctx: Context[Any]) -> int:
        a, b = await asyncio.gather(
            ctx.step.invoke("a", price, {"n": 1}), ctx.step.invoke("b", "shop/price", {"n": 20})
        )
        return int(a) + int(b)

    @app.function(on="go sync")
    def also(ctx: SyncContext[Any]) -> int:
        return int(ctx.step.invoke("a", price, {"n": 5}))

    async with harness(store, app) as platform:
        run, other = await platform.start("go"), await platform.start("go sync")
        for one, output in ((run, b"42"), (other, b"10")):
            assert (await ended(platform, one)).output == output
        child = await platform.run(await child_of(platform, run, "a"))
        assert (child.function, child.link) == ("shop/price", f"invoke {run} a")


async def test_a_child_that_fails_is_an_error_of_the_step(store: Store) -> None:
    app = App("shop")

    @app.function(on="never")
    async def broken(ctx: Context[Any]) -> None:
        raise NonRetriable("no stock")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        try:
            await ctx.step.invoke("call", broken)
        except InvokeFailed as error:
            return f"{error.type}: {error.message}"
        return "fine"

    @app.function(on="lost")
    async def lost(ctx: Context[Any]) -> None:
        await ctx.step.invoke("call", "shop/nothing")

    async with harness(store, app) as platform:
        run = await platform.start("go")
        assert (await ended(platform, run)).output == b'"NonRetriable: no stock"'
        run = await platform.start("lost")
        failed = await ended(platform, run)
        assert failed.status is Status.FAILED
        assert b"no function 'shop/nothing' is registered" in failed.error


async def test_children_may_have_limits_and_live_elsewhere(store: Store) -> None:
    app, now, most = App("shop"), set[str](), list[int]()

    @app.function(on="never", concurrency=Concurrency(2))
    async def limited(ctx: Context[Any]) -> int:
        async def body() -> int:
            now.add(ctx.run_id)
            most.append(len(now))
            await asyncio.sleep(0)
            now.discard(ctx.run_id)
            return int(ctx.data["n"])

        return await ctx.step.run("body", body)

    @app.function(on="go")
    async def total(ctx: Context[Any]) -> int:
        return sum(await asyncio.gather(*[ctx.step.invoke(f"n{n}", limited, {"n": n}) for n in range(10)]))

    async with harness(store, app) as platform:
        run = await platform.start("go")
        assert (await ended(platform, run)).output == b"45"
        assert max(most) <= 2


async def test_a_parent_takes_its_children_with_it_unless_they_are_detached(store: Store) -> None:
    app = App("shop")

    @app.function(on="never")
    async def long(ctx: Context[Any]) -> None:
        await ctx.step.sleep("long", "30d")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await asyncio.gather(ctx.step.invoke("mine", long), ctx.step.invoke("free", long, detach=True))

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        mine, free = [await child_of(platform, run, key) for key in ("mine", "free")]
        for child in (mine, free):
            await platform.until(child, Status.WAITING)
        assert await platform.cancel(run) == "CANCELLED"
        assert (await ended(platform, mine)).status is Status.CANCELLED
        assert b"its parent" in (await platform.run(mine)).error
        assert (await platform.run(free)).status is Status.WAITING


async def test_a_child_that_takes_too_long_is_not_waited_for(store: Store) -> None:
    app = App("shop")

    @app.function(on="never")
    async def long(ctx: Context[Any]) -> int:
        await ctx.step.sleep("long", "2h")
        return 1

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        try:
            await ctx.step.invoke("call", long, timeout="1h")
        except InvokeFailed as error:
            return error.type
        return "fine"

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        child = await child_of(platform, run, "call")
        await platform.until(child, Status.WAITING)
        await platform.advance(3_600_000)
        assert await platform.output(run) == "Timeout"
        await platform.advance(3_600_000)
        assert await platform.output(child) == 1
        await platform.waits.errands.empty()


@pytest.mark.parametrize("order", ["end late", "late end", "cancel end", "end cancel"])
async def test_of_a_childs_end_and_its_parents_patience_the_first_counts(store: Store, order: str) -> None:
    app = App("shop")

    @app.function(on="never")
    async def child(ctx: Context[Any]) -> int:
        await ctx.step.sleep("nap", "2h")
        return 7

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        try:
            return await ctx.step.invoke("call", child, timeout="3h")
        except InvokeFailed as error:
            return error.type

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        invoked = await child_of(platform, run, "call")
        await platform.until(invoked, Status.WAITING)
        for what in order.split():
            if what == "end":
                home = platform.partition_of(invoked)
                await platform.runs_at(invoked).resolve(invoked, "nap", ok=True, payload=b"")
                await platform.eventually(lambda: _over(platform, invoked))
                assert home is not None
            elif what == "late":
                await platform.advance(3 * 3_600_000)
            else:
                await platform.cancel(run)
            await platform.waits.errands.empty()
        status, output = {
            "end late": (Status.COMPLETED, b"7"),
            "late end": (Status.COMPLETED, b'"Timeout"'),
            "cancel end": (Status.CANCELLED, b""),
            "end cancel": (Status.COMPLETED, b"7"),
        }[order]
        found = await ended(platform, run)
        if order == "end cancel" and found.status is Status.CANCELLED:
            return  # the parent was cancelled before it had been leased again
        assert (found.status, found.output) == (status, output)


async def _over(platform: Harness, run: str) -> bool:
    return (await platform.run(run)).status.ended


async def test_a_child_that_is_held_back_by_its_key_fails_the_step(store: Store) -> None:
    app = App("shop")

    @app.function(on="never", idempotency=Idempotency("event.data.id", period="1h"))
    async def once(ctx: Context[Any]) -> int:
        return 1

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        first = await ctx.step.invoke("a", once, {"id": 1})
        try:
            await ctx.step.invoke("b", once, {"id": 1})
        except InvokeFailed as error:
            return [first, error.type, error.message]

    async with harness(store, app) as platform:
        run = await ended(platform, await platform.start("go"))
        value, kind, message = decode(run.output)
        assert (value, kind) == (1, "Skipped")
        assert message.startswith("shop/once: a run with the same idempotency key came first: ")


async def test_data_for_a_child_may_be_as_large_as_an_event_and_no_larger(store: Store) -> None:
    app = App("shop")

    @app.function(on="never")
    async def child(ctx: Context[Any]) -> int:
        return len(ctx.data["text"])

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> int:
        return await ctx.step.invoke("call", child, {"text": "x" * ctx.data["size"]})

    async with harness(store, app, settings=Settings(max_event_bytes=10_000)) as platform:
        fits, large = await platform.start("go", {"size": 9_000}), await platform.start("go", {"size": 10_000})
        assert (await ended(platform, fits)).output == b"9000"
        assert b"the data for shop/child has 10,011 bytes" in (await ended(platform, large)).error


async def test_an_end_that_cannot_be_told_holds_up_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App("shop")

    @app.function(on="never")
    async def child(ctx: Context[Any]) -> int:
        return int(ctx.data["n"])

    @app.function(on="go")
    async def parent(ctx: Context[Any]) -> int:
        return await ctx.step.invoke("call", child, {"n": ctx.data["n"]})

    async with harness(store, app) as platform:
        resolve, stuck = Runs.resolve, set[str]()

        async def full(self: Runs, run: str, key: str, **more: Any) -> Resolved:
            if run in stuck:
                raise StoreFull("redis://full")
            return await resolve(self, run, key, **more)

        monkeypatch.setattr(Runs, "resolve", full)
        runs = [await platform.start("go", {"n": n}) for n in range(150)]
        stuck.update(runs[:140])
        children = [await child_of(platform, run, "call") for run in runs]
        for run in children:
            await platform.until(run, Status.COMPLETED)

        async def told() -> bool:
            with suppress(StoreFull):
                await platform.waits.errands.empty()
            return all([(await platform.run(run)).status.ended for run in runs[140:]])

        await platform.eventually(told)
        stuck.clear()
        assert [int((await ended(platform, run)).output) for run in runs] == list(range(150))
