"""Functions that a deploy gives another home: no run begins there while older ones execute where those are."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import pytest

from stepwell.functions import App, Concurrency, Context, cron
from stepwell.platform.cron import planning
from stepwell.platform.cron.schedules import Schedules
from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.moves import EVERYWHERE, Homes, moves_of
from stepwell.platform.history import History
from stepwell.platform.ids import home_of, partition_of
from stepwell.platform.outbox import Outbox
from stepwell.platform.records import Status
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness

HOUR = 3_600_000
DAY = 24 * HOUR
SECOND = 1_000
ALONE = Concurrency(1)


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    """Four partitions, in memory."""
    async with memory_store(partitions=4) as opened:
        yield opened


class Shop:
    """A function, deployed again and again, whose runs last until their gate is opened."""

    def __init__(self) -> None:
        self.gates = defaultdict[str, asyncio.Event](asyncio.Event)

    def app(self, *concurrency: Concurrency, name: str = "shop") -> App:
        app = App(name)

        @app.function(on="go", concurrency=concurrency)
        async def work(ctx: Context[Any]) -> None:
            await self.gates[ctx.run_id].wait()
            if ctx.data.get("sleeps"):
                await ctx.step.sleep("day", "1d")

        return app

    def shared(self, partitions: int, beside: Iterable[Concurrency] = ()) -> Concurrency:
        """Slots by which the function lives in another partition than alone, or by others."""
        taken = {self.home(partitions), *(self.home(partitions, one) for one in beside)}
        controls = [Concurrency(5, scope="environment", name=f"db-{number}") for number in range(100)]
        return next(control for control in controls if self.home(partitions, control) not in taken)

    def home(self, partitions: int, *controls: Concurrency) -> int:
        """The partition of the function with these controls."""
        known = Snapshot(1, {"shop": self.app(*controls).manifest})
        return home_of(known.functions["shop/work"].home, partitions)


async def started(platform: Harness, **data: Any) -> str:
    """A run that exists, wherever it lives."""
    [run] = (await platform.accepted("go", data)).runs
    return run


async def waits(platform: Harness, run: str) -> list[str]:
    """What a run waits for, in single words."""
    view = await History(platform.partitions, platform.registry).run(run)
    assert view is not None
    return [wait.kind for wait in view.waiting_on]


async def held_back(platform: Harness, run: str) -> None:
    """Waits until it is known that a run may not begin where its function lives now: until it was asked for there."""

    async def there() -> bool:
        return await waits(platform, run) == ["moved"]

    await platform.eventually(there)


async def pass_by(platform: Harness) -> None:
    """Some seconds, in which whoever may begin does so."""
    for _ in range(5):
        await platform.advance(SECOND)
        await platform.eventually_idle()


async def test_a_run_begins_in_its_new_home_when_those_in_the_old_one_have_let_go(store: Store) -> None:
    shop = Shop()
    async with harness(store, shop.app(ALONE)) as platform:
        first, second = await started(platform), await started(platform)
        await platform.until(first, Status.RUNNING)
        await platform.registry.register(shop.app(ALONE, shop.shared(store.partitions)).manifest)
        third = await started(platform)
        assert partition_of(third) != partition_of(first) == partition_of(second)
        await platform.advance(SECOND)
        await held_back(platform, third)
        shop.gates[first].set()
        await platform.until(second, Status.RUNNING)
        await platform.advance(SECOND)
        await held_back(platform, third)  # one that was queued there goes before it
        shop.gates[second].set()
        await platform.until(second, Status.COMPLETED)
        await pass_by(platform)
        await platform.until(third, Status.RUNNING)
        assert not platform.registry.snapshot.moves
        shop.gates[third].set()
        await platform.until(third, Status.COMPLETED)


async def test_a_limit_that_is_new_holds_runs_back_until_none_executes_that_had_none(store: Store) -> None:
    shop = Shop()
    async with harness(store, shop.app()) as platform:
        runs = [await started(platform) for _ in range(12)]
        homes = {partition_of(run) for run in runs}
        assert len(homes) > 2
        for run in runs:
            await platform.until(run, Status.RUNNING)
        await platform.registry.register(shop.app(ALONE).manifest)
        new = await started(platform)
        for run in sorted(runs, key=lambda run: partition_of(run) == partition_of(new)):
            await platform.advance(SECOND)
            if partition_of(run) != partition_of(new):
                await held_back(platform, new)
            shop.gates[run].set()
            await platform.until(run, Status.COMPLETED)
        await pass_by(platform)
        await platform.until(new, Status.RUNNING)
        shop.gates[new].set()
        await platform.until(new, Status.COMPLETED)


@pytest.mark.parametrize("then", ["back", "on"])
async def test_a_second_deploy_lets_nobody_begin_whom_the_first_has_held_back(store: Store, then: str) -> None:
    shop, count = Shop(), store.partitions
    away = shop.shared(count)
    second = (ALONE,) if then == "back" else (ALONE, shop.shared(count, beside=[away]))
    async with harness(store, shop.app(ALONE)) as platform:
        runs = [await started(platform)]
        await platform.until(runs[0], Status.RUNNING)
        for controls in ((ALONE, away), second):
            await platform.registry.register(shop.app(*controls).manifest)
            runs.append(await started(platform))
            await pass_by(platform)
        for number, run in enumerate(runs):
            await platform.until(run, Status.RUNNING)
            for later in runs[number + 1 :]:
                assert (await platform.run(later)).status is Status.QUEUED
            shop.gates[run].set()
            await platform.until(run, Status.COMPLETED)
            await pass_by(platform)
        assert not platform.registry.snapshot.moves


async def test_runs_on_their_way_to_the_old_home_are_waited_for(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop()
    old = home_of("shop/work", store.partitions)
    away = next(id for id in map(str, range(99)) if home_of(id, store.partitions) != old)
    async with harness(store, shop.app(ALONE)) as platform:
        with monkeypatch.context() as held_up:
            held_up.setattr(Outbox, "deliver", nothing)
            [late] = await platform.send("go", id=away)
            await platform.registry.register(shop.app(ALONE, shop.shared(store.partitions)).manifest)
            await pass_by(platform)
            assert platform.registry.snapshot.moves
        new = await started(platform)
        await platform.until(late, Status.RUNNING)
        await pass_by(platform)
        await held_back(platform, new)
        for run in (late, new):
            shop.gates[run].set()
            await platform.until(run, Status.COMPLETED)
            await pass_by(platform)


async def nothing(_: Outbox) -> int:
    """Delivers none."""
    return 0


async def test_runs_that_wake_again_and_again_in_the_old_home_hold_nobody_back(store: Store) -> None:
    shop, rounds = Shop(), list[str]()

    def app(*controls: Concurrency) -> App:
        app = App("shop")

        @app.function(on="go", concurrency=controls)
        async def work(ctx: Context[Any]) -> None:
            while ctx.data.get("turns"):
                await ctx.step.sleep("nap", "1s")
                rounds.append(await ctx.step.run("turn", str, ctx.run_id))

        return app

    async with harness(store, app(Concurrency(5))) as platform:
        for _ in range(3):
            await started(platform, turns=True)
        await pass_by(platform)
        await platform.registry.register(app(Concurrency(5), shop.shared(store.partitions)).manifest)
        new = await started(platform)
        before = len(rounds)
        await pass_by(platform)
        await platform.until(new, Status.COMPLETED)
        assert len(rounds) > before


async def test_a_run_that_has_slept_since_holds_nobody_back_although_it_executes_at_every_look(store: Store) -> None:
    gates = defaultdict[str, asyncio.Event](asyncio.Event)

    def app(*controls: Concurrency) -> App:
        app = App("shop")

        @app.function(on="go", concurrency=controls)
        async def work(ctx: Context[Any]) -> None:
            if ctx.data.get("turns"):
                await ctx.step.run("one", gates["one"].wait)
                await ctx.step.sleep("nap", "1s")
                await ctx.step.run("two", gates["two"].wait)

        return app

    async with harness(store, app(Concurrency(5))) as platform:
        old = await started(platform, turns=True)
        await platform.until(old, Status.RUNNING)
        await platform.registry.register(app(Concurrency(5), Shop().shared(store.partitions)).manifest)
        new = await started(platform)
        await pass_by(platform)
        await held_back(platform, new)
        gates["one"].set()
        await platform.until(old, Status.WAITING)
        platform.clock.advance(SECOND)
        for partition in platform.partitions:  # it goes on before anybody looks
            await partition.script("tick", 64, 3, 15_000, 5_000, 1_000)
        await platform.until(old, Status.RUNNING)
        await pass_by(platform)
        await platform.until(new, Status.COMPLETED)
        gates["two"].set()
        await platform.until(old, Status.COMPLETED)


async def test_a_schedule_that_two_homes_know_fires_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever registers dies between taking it up where it lives now, and dropping it where it lived."""

    async def die(*_: object) -> None:
        raise ConnectionError

    async with harness(store, timed(ALONE)) as platform:
        await platform.advance(HOUR)
        with monkeypatch.context() as dying:
            dying.setattr(planning.Plan, "drop_others", die)
            with pytest.raises(ConnectionError):
                await platform.registry.register(timed(ALONE, Shop().shared(store.partitions)).manifest)
        held = [await one.read("HLEN", one.keys.name("k_schedules")) for one in platform.partitions]
        assert sum(held) == 2
        for _ in range(2):
            await platform.advance(HOUR)
            await pass_by(platform)
        counts = await History(platform.partitions, platform.registry).counts()
        assert (counts.completed, counts.unfinished) == (3, 0)


async def test_a_run_that_sleeps_in_the_old_home_holds_none_back(store: Store) -> None:
    shop = Shop()
    async with harness(store, shop.app(ALONE)) as platform:
        sleeper = await started(platform, sleeps=True)
        shop.gates[sleeper].set()
        await platform.until(sleeper, Status.WAITING)
        await platform.registry.register(shop.app(ALONE, shop.shared(store.partitions)).manifest)
        new = await started(platform)
        shop.gates[new].set()
        await pass_by(platform)
        await platform.until(new, Status.COMPLETED)
        await platform.advance(DAY)
        await platform.until(sleeper, Status.COMPLETED)


async def test_a_function_that_moves_and_back_again_waits_for_nobody_for_ever(store: Store) -> None:
    shop = Shop()
    async with harness(store, shop.app(ALONE)) as platform:
        runs = [await started(platform)]
        await platform.until(runs[0], Status.RUNNING)
        for controls in ((ALONE, shop.shared(store.partitions)), (ALONE,), (ALONE, shop.shared(store.partitions))):
            await platform.registry.register(shop.app(*controls).manifest)
            runs.append(await started(platform))
            await pass_by(platform)
        for run in runs:
            shop.gates[run].set()
        for _ in range(len(runs) + 1):
            await pass_by(platform)
        for run in runs:
            await platform.until(run, Status.COMPLETED)
        assert not platform.registry.snapshot.moves


async def test_a_function_that_lost_its_limits_or_is_gone_is_not_held_back(store: Store) -> None:
    shop = Shop()
    async with harness(store, shop.app(ALONE)) as platform:
        first = await started(platform)
        await platform.until(first, Status.RUNNING)
        await platform.registry.register(shop.app(ALONE, shop.shared(store.partitions)).manifest)
        held = await started(platform)
        await platform.registry.register(shop.app().manifest)
        shop.gates[held].set()
        await pass_by(platform)
        await platform.until(held, Status.COMPLETED)
        await platform.registry.register(shop.app(ALONE).manifest)
        assert platform.registry.snapshot.moves == {"shop/work": (EVERYWHERE,)}
        await platform.registry.register(App("shop").manifest)
        assert platform.registry.snapshot.moves == {}


def timed(*concurrency: Concurrency) -> App:
    """An app of one function that the clock starts each hour."""
    app = App("shop")

    @app.function(on=cron("@hourly", catch_up="all", window="1d"), concurrency=concurrency)
    async def work(ctx: Context[Any]) -> None: ...

    return app


async def test_what_is_known_of_a_schedule_goes_with_its_function(store: Store) -> None:
    shared = Shop().shared(store.partitions)
    async with harness(store, timed(ALONE)) as platform:
        schedules = Schedules(platform.partitions, platform.registry)
        await platform.advance(HOUR)
        [before] = await schedules.all()
        assert before.state.last
        await schedules.skip(before.schedule.id)
        await schedules.pause(before.schedule.id)
        [before] = await schedules.all()
        await platform.registry.register(timed(ALONE, shared).manifest)
        [after] = await schedules.all()
        assert (after.state, after.state.paused > 0) == (before.state, True)
        held = [await one.read("HLEN", one.keys.name("k_schedules")) for one in platform.partitions]
        assert sum(held) == 1


async def test_times_of_a_standstill_are_made_up_for_where_the_function_lives_now(store: Store) -> None:
    shared = Shop().shared(store.partitions)
    async with harness(store, timed(ALONE)) as platform:
        platform.clock.advance(3 * HOUR)
        await platform.registry.register(timed(ALONE, shared).manifest)
        await pass_by(platform)
        await pass_by(platform)
        counts = await History(platform.partitions, platform.registry).counts()
        assert (counts.completed, counts.unfinished) == (3, 0)


async def test_a_schedule_is_run_while_a_deploy_moves_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    shared, time_at = Shop().shared(store.partitions), planning.time_at
    async with harness(store, timed(ALONE)) as platform:
        schedules = Schedules(platform.partitions, platform.registry)

        async def deploy_meanwhile(partition: Partition) -> int:
            await Registry(platform.partitions).register(timed(ALONE, shared).manifest)
            return await time_at(partition)

        [view] = await schedules.all()
        monkeypatch.setattr("stepwell.platform.cron.schedules.time_at", deploy_meanwhile)
        run = await schedules.run(view.schedule.id)
        assert run is not None
        await pass_by(platform)
        await platform.until(run, Status.COMPLETED)


async def test_apps_that_are_registered_at_once_are_all_known(store: Store) -> None:
    async with harness(store, App("none"), worker=False) as platform:
        apps = [Shop().app(name=f"shop-{number}") for number in range(20)]
        registries = [Registry(platform.partitions) for _ in apps]
        done = [one.register(app.manifest) for one, app in zip(registries, apps, strict=True)]
        assert await asyncio.gather(*done) == [True] * len(apps)
        assert set((await platform.registry.load()).apps) == {"none", *(app.id for app in apps)}


@pytest.mark.parametrize(
    ("before", "after", "unsettled", "moves"),
    [
        ({}, {"f": "f"}, {}, {}),
        ({"f": "f"}, {"f": "f"}, {}, {}),
        ({"f": "f"}, {"f": "db"}, {}, {"f": ("f",)}),
        ({"f": EVERYWHERE}, {"f": "f"}, {}, {"f": (EVERYWHERE,)}),
        ({"f": "db"}, {"f": "other"}, {"f": ("f",)}, {"f": ("f", "db")}),
        ({"f": "db"}, {"f": "f"}, {"f": ("f",)}, {"f": ("f", "db")}),
        ({"f": "f"}, {"f": "db"}, {"f": ("f", "db")}, {"f": ("f", "db")}),
        ({"f": "db"}, {}, {"f": ("f",)}, {}),
    ],
)
def test_where_older_runs_may_be(
    before: dict[str, str], after: dict[str, str], unsettled: dict[str, Homes], moves: dict[str, Homes]
) -> None:
    assert moves_of(before, after, unsettled) == moves
