"""Waits whose lists live in other partitions than the runs that wait, and the events in yet others."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

import pytest

from stepwell.functions import App, CancelOn, Concurrency, Context, on_event
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import home_of
from stepwell.platform.records import Status
from stepwell.platform.store.connection import ReplyFuture
from stepwell.platform.store.group import Group
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.scripts import Item
from stepwell.platform.store.store import Store
from stepwell.platform.waits.errands import Errands
from stepwell.platform.waits.hearing import Heard, Hearing
from stepwell.platform.waits.index import Index
from stepwell.platform.waits.listing import Listing, Member
from tests.platform_harness import Harness, harness

PARTITIONS = 4
HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    """Four partitions, in memory."""
    async with memory_store(partitions=PARTITIONS) as opened:
        yield opened


def sent_from(partition: int, number: int = 0) -> str:
    """The own id of an event that is at home in a partition."""
    return [id for id in map(str, range(1_000)) if home_of(id, PARTITIONS) == partition][number]


HOME = home_of("said", PARTITIONS)
AWAY, FAR = [partition for partition in range(PARTITIONS) if partition != HOME][:2]


async def asleep(platform: Harness, run: str) -> str:
    """The run, once it waits and everything was done for that."""
    await platform.until(run, Status.WAITING)
    await platform.waits.errands.empty()
    return run


async def lists(platform: Harness) -> list[str]:
    """The keys of all lists of open waits."""
    found: list[str] = []
    for partition in platform.partitions:
        pattern = partition.keys.name("k_waits", "*")
        found += map(bytes.decode, await partition.read("KEYS", pattern))
    return found


@pytest.mark.parametrize("how", ["cancel", "timeout", "event", "first of two", "end"])
async def test_whatever_ends_a_wait_takes_it_off_the_list_wherever_that_is(store: Store, how: str) -> None:
    app = App("shop")

    @app.function(on="go", cancel_on=CancelOn("said", match="data.id"))
    async def work(ctx: Context[Any]) -> None:
        if how == "end":
            await ctx.step.sleep("nap", "1h")
        else:
            await ctx.step.wait_for_any(
                "any", {"one": on_event("told"), "other": on_event("tell", if_="async.data.n > 1"), "timer": "1h"}
            )

    @app.function(on="simple")
    async def simple(ctx: Context[Any]) -> None:
        await ctx.step.wait_for_event("one", "said", if_="async.data.n > 1")

    async with harness(store, app) as platform:
        names = ["go", "simple"] if how in {"cancel", "event"} else ["go"]
        homes = range(PARTITIONS)
        runs = [await platform.start(name, {"id": 1}, id=f"{name}-{n}") for name in names for n in homes]
        for run in runs:
            await asleep(platform, run)
        assert await lists(platform)
        match how:
            case "cancel":
                for run in runs:
                    await platform.cancel(run)
            case "event":
                await platform.send("said", {"id": 1, "n": 2})
            case "first of two":
                await platform.send("told")
            case _:
                await platform.advance(HOUR)
        for run in runs:
            await platform.until(run, Status.COMPLETED, Status.CANCELLED)
        await platform.waits.errands.empty()
        assert await lists(platform) == []
        await platform.forget_everything()
        await platform.stop_worker()
        assert await platform.keys_without_owner() == []


async def test_a_list_never_expires_under_those_who_wait_for_longer(store: Store) -> None:
    app = App("shop")

    @app.function(on="brief")
    async def brief(ctx: Context[Any]) -> None:
        await ctx.step.wait_for_event("one", "said", timeout="1h")

    @app.function(on="long")
    async def long(ctx: Context[Any]) -> None:
        await ctx.step.wait_for_event("one", "said", timeout="300d")

    async with harness(store, app) as platform:
        await asleep(platform, await platform.start("brief", id=sent_from(AWAY)))
        await asleep(platform, await platform.start("long", id=sent_from(HOME)))
        [key] = await lists(platform)
        assert await platform.partitions[HOME].read("ZCARD", key) == 2
        assert await platform.partitions[HOME].read("TTL", key) == -1


@pytest.mark.parametrize("name", ["by event", "step"])
async def test_what_ends_while_it_is_listed_elsewhere_does_not_stay_there(
    store: Store, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    app, late = App("shop"), list[str]()

    @app.function(on="by event", cancel_on=CancelOn("said", match="data.id"))
    async def by_event(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1d")

    @app.function(on="step")
    async def step(ctx: Context[Any]) -> None:
        await ctx.step.wait_for_event("one", "said", if_="async.data.n > 1")

    async with harness(store, app) as platform:
        listed = Index.enlist

        async def too_late(index: Index, listing: Any, who: str, *more: Any, **named: Any) -> Any:
            late.append(await platform.cancel(who[:26]))
            await platform.waits.errands[AWAY].gather_in()
            return await listed(index, listing, who, *more, **named)

        monkeypatch.setattr(Index, "enlist", too_late)
        monkeypatch.setattr(Errands, "arm", _nothing)
        run = await platform.start(name, {"id": 1}, id=sent_from(AWAY))
        await platform.until(run, Status.WAITING)
        await platform.waits.errands.empty()
        assert late == ["CANCELLED"]
        assert await lists(platform) == []


async def test_the_event_that_started_a_run_ends_none_of_its_waits(store: Store) -> None:
    app = App("shop")

    @app.function(on="said", cancel_on=CancelOn("said", match="data.id"))
    async def newest(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "1d")

    @app.function(on="said")
    async def pairs(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("next", "said", match="data.id", timeout="1d")
        return event and event.data["n"]

    async with harness(store, app) as platform:
        for partition in range(PARTITIONS):
            ids = [sent_from(partition, number) for number in range(2)]
            runs = await platform.send("said", {"id": partition, "n": 1}, id=ids[0])
            for run in runs:
                await asleep(platform, run)
            platform.clock.advance(1)
            await platform.send("said", {"id": partition, "n": 2}, id=ids[1])
            ended = [await platform.until(run, Status.COMPLETED, Status.CANCELLED) for run in sorted(runs)]
            assert sorted((run.function, run.status) for run in ended) == [
                ("shop/newest", Status.CANCELLED),
                ("shop/pairs", Status.COMPLETED),
            ]
            assert [run.output for run in ended if run.status is Status.COMPLETED] == [b"2"]


async def test_events_that_come_between_arming_and_listing_count_without_look_back_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("one", "said", lookback=False)
        return event and event.data["n"]

    async with harness(store, app) as platform:
        await platform.stop_worker()
        # What is left when the worker dies between arming the wait and listing it, and nobody has seen to it yet.
        with monkeypatch.context() as dying:
            dying.setattr(Errands, "arm", _nothing)
            dying.setattr(Errands, "_arm", _nothing)
            await platform.send("said", {"n": 1})
            platform.clock.advance(1)
            run = await platform.start("go", id=sent_from(AWAY))
            await platform.start_worker()
            await platform.until(run, Status.WAITING)
            platform.clock.advance(1)
            await platform.send("said", {"n": 2}, id=sent_from(FAR))
            await platform.waits.errands.empty()
            platform.clock.advance(1)
        await platform.waits.errands.empty()
        assert await platform.output(run) == 2


def waiting_for_any() -> App:
    """An app of one function that gives back which of two events came first."""
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        return (await ctx.step.wait_for_any("any", {"said": on_event("said"), "told": on_event("told")})).name

    return app


async def test_an_event_that_comes_while_a_wait_for_the_first_of_several_is_listed_overtakes_no_older_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, enlist = waiting_for_any(), Index.enlist
    news = ["said"]

    async with harness(store, app) as platform:

        async def slow(index: Index, listing: Listing, who: str, after: int, *, last: bool) -> Any:
            if listing.name == "told" and news:
                platform.clock.advance(1)
                await platform.send(news.pop(), id=sent_from(HOME, 1))
                await platform.waits.errands[HOME].empty()
            return await enlist(index, listing, who, after, last=last)

        await platform.stop_worker()
        run = await platform.start("go", id=sent_from(HOME))
        platform.clock.advance(1)
        await platform.send("told", id=sent_from(AWAY))
        monkeypatch.setattr(Index, "enlist", slow)
        monkeypatch.setattr(Errands, "_arm", _nothing)  # so that only the worker lists it
        await platform.start_worker()
        assert await platform.output(run) == "told"


async def test_an_older_event_that_somebody_is_about_to_give_to_a_wait_goes_before_one_that_its_listing_finds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, enlist, offer = waiting_for_any(), Index.enlist, Hearing._offer  # pyright: ignore[reportPrivateUsage]
    news = ["told", "said"]

    async with harness(store, app) as platform:

        async def slow(index: Index, listing: Listing, who: str, after: int, *, last: bool) -> Any:
            while listing.name == "told" and news:
                platform.clock.advance(1)
                await platform.send(news.pop(), id=sent_from(HOME, 1 + len(news)))
                with suppress(StoreUnavailable):
                    await platform.waits.errands[HOME].empty()
            return await enlist(index, listing, who, after, last=last)

        async def lost(hearing: Hearing, heard: Sequence[Heard]) -> None:
            await offer(hearing, [])
            raise StoreUnavailable("redis://away", "the connection was lost")

        await platform.stop_worker()
        run = await platform.start("go", id=sent_from(HOME))
        monkeypatch.setattr(Index, "enlist", slow)
        monkeypatch.setattr(Hearing, "_offer", lost)
        monkeypatch.setattr(Errands, "_arm", _nothing)  # so that only the worker lists it
        await platform.start_worker()
        assert await platform.output(run) == "said"


async def test_events_are_given_to_one_wait_in_their_order_however_long_that_takes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, look_back = waiting_for_any(), Hearing._look_back  # pyright: ignore[reportPrivateUsage]
    slow = [True]

    async def hesitate(hearing: Hearing, member: Member) -> None:
        if slow and slow.pop():
            await asyncio.sleep(0.05)
        await look_back(hearing, member)

    async with harness(store, app) as platform:
        run = await platform.start("go", id=sent_from(HOME))
        await asleep(platform, run)
        with monkeypatch.context() as deaf:
            deaf.setattr(Hearing, "hear", _nothing)
            for number, name in enumerate(("said", "told")):
                platform.clock.advance(1)
                await platform.send(name, id=sent_from(HOME, number + 1))
            await platform.waits.errands.empty()
        monkeypatch.setattr(Hearing, "_look_back", hesitate)
        await platform.waits.errands.empty()
        assert await platform.output(run) == "said"


async def test_a_deploy_between_reaching_a_step_and_starting_its_child_makes_no_second_child(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deployed(*limits: Concurrency) -> App:
        app = App("shop")

        @app.function(on="never", concurrency=list(limits))
        async def child(ctx: Context[Any]) -> str:
            return ctx.run_id

        @app.function(on="go")
        async def parent(ctx: Context[Any]) -> str:
            return await ctx.step.invoke("call", child)

        return app

    async with harness(store, deployed()) as platform:
        settle = Group.add
        with monkeypatch.context() as dying:
            # What is left when the worker dies between starting the child and noting that.
            def add(group: Group, item: Item) -> ReplyFuture:
                return settle(group, item if item[0] != "arming" else ("ends", ""))

            dying.setattr(Group, "add", add)
            run = await platform.start("go", id=sent_from(AWAY))
            await platform.until(run, Status.WAITING)
        home = platform.partition_of(run)
        child = (await home.read("HGET", home.keys.name("k_run", run), "k:call")).decode()
        await platform.until(child, Status.COMPLETED)
        await platform.registry.register(deployed(Concurrency(1)).manifest)
        await platform.waits.errands.empty()
        assert await platform.output(run) == child
        runs = [
            await one.read("ZRANGE", one.keys.name("k_runs_of", "shop/child"), 0, -1) for one in platform.partitions
        ]
        assert [name.decode() for names in runs for name in names] == [child]


async def _nothing(*_: Any) -> int:
    return 0
