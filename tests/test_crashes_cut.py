"""The connection to Redis is cut before, or after, each call of a run: nothing is done or recorded twice."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from stepwell.functions import App, Concurrency, Context, Event, SyncContext
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.fault_proxy import FaultProxy, Moment
from tests.platform_harness import Harness, harness
from tests.redis_servers import Server

ONCE = {"first": 1, "left": 1, "right": 1, "last": 1, "heard": 1}
STEPS = {"first", "rest", "left", "right", "tell", "last"}
NAP = 60_000


@dataclass
class Shop:
    """An app of two functions that counts what is executed."""

    app: App = field(default_factory=lambda: App("shop"))
    bodies: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        @self.app.function(on="go", concurrency=Concurrency(1))
        async def work(ctx: Context[Any]) -> list[str]:
            first = await ctx.step.run("first", self.body, "first")
            await ctx.step.sleep("rest", "1m")
            pair = await asyncio.gather(*(ctx.step.run(name, self.body, name) for name in ("left", "right")))
            [told] = await ctx.step.send("tell", Event("told", {"by": ctx.run_id}))
            return [first, *pair, await ctx.step.run("last", self.body, "last"), told]

        @self.app.function(on="told")
        def hear(ctx: SyncContext[Any]) -> str:
            return ctx.step.run("heard", self.body, "heard")

    def body(self, name: str) -> str:
        self.bodies.append(name)
        return name


@dataclass
class Line:
    """A platform whose connection may be cut, and one beside it that only looks."""

    proxy: FaultProxy
    platform: Harness
    watcher: Harness
    shop: Shop

    async def run_once(self) -> int:
        """One run, from its event to its end and that of the run it starts; checks both. Gives the calls it took."""
        began = len(self.proxy.seen)
        self.shop.bodies.clear()
        run = await self.platform.start("go")
        await self.watcher.until(run, Status.WAITING)
        await self.platform.advance(NAP)
        *words, told = await self.watcher.output(run)
        [hearing] = (await self.watcher.event(told)).runs
        assert await self.watcher.output(hearing) == "heard"
        assert words == ["first", "left", "right", "last"]
        assert {name: self.shop.bodies.count(name) for name in self.shop.bodies} == ONCE
        steps = await self.watcher.steps(run)
        assert steps.keys() == STEPS
        assert {step.state for step in steps.values()} == {"done"}
        assert {step.attempts for step in steps.values()} == {0, 1}
        assert (await self.watcher.run(run)).crashes == 0
        return len(self.proxy.seen) - began

    async def runs(self) -> int:
        """How many runs there are of both functions."""
        [partition] = self.watcher.partitions
        names = [partition.keys.name("k_runs_of", function) for function in ("shop/work", "shop/hear")]
        return sum([await partition.read("ZCARD", name) for name in names])


@pytest.fixture
async def line(proxy: FaultProxy, redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Line]:
    shop = Shop()
    around, through = Settings(redis_url=redis_server.url), Settings(redis_url=proxy.url)
    async with Store.open(around) as direct, Store.open(through) as store:
        # The proxy does not carry subscriptions; what comes on them are hints, which may be lost anyway.
        monkeypatch.setattr(store, "subscribe", direct.subscribe)
        async with harness(store, shop.app) as platform:
            yield Line(proxy, platform, Harness(direct, [shop.app], platform.settings), shop)


@pytest.mark.parametrize("moments", [("before",), ("after",), ("after", "after")], ids="-".join)
async def test_a_connection_cut_at_any_call_of_a_run_changes_nothing(line: Line, moments: tuple[Moment, ...]) -> None:
    calls = await line.run_once()
    # Those that come only because of a cut, such as looking for the server again, are cut as well.
    tries = calls + 4
    for nth in range(1, tries):
        for further, moment in enumerate(moments):
            line.proxy.cut(moment, nth + further)
        await line.run_once()
    assert line.proxy.connections > calls
    assert await line.runs() == 2 * tries
