"""What a user sees of schedules: one test a story, over memory, Redis and Valkey."""

import asyncio
import itertools
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from stepwell.functions import App, Concurrency, Context, Idempotency, Timeouts, cron
from stepwell.functions.triggers import CatchUp, Overlap
from stepwell.platform.clock import SystemClock
from stepwell.platform.codec import decode
from stepwell.platform.cron.crons import Crons, Due
from stepwell.platform.cron.deciding import Decision, decide
from stepwell.platform.cron.firing import NOTHING
from stepwell.platform.cron.planning import Plan, time_at
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.errors import InvalidManifest
from stepwell.platform.ids import home_of
from stepwell.platform.records import Status
from stepwell.platform.registry import Registry
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import crons_channel
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
START = 1_767_225_600_000
"""When the harness begins: midnight of 1 January 2026."""


def app_of(expr: str = "@hourly", *, nap: str = "", retry: str = "", **choices: Any) -> App:
    """An app with one function, that may sleep for a while."""
    app = App("shop")

    @app.function(on=cron(expr, **choices))
    async def tidy(ctx: Context[Any]) -> list[Any]:
        if nap:
            await ctx.step.sleep("nap", nap)
        return [ctx.event.name, ctx.data, ctx.event.ts]

    return app


def home(platform: Harness) -> Partition:
    """Where its function is at home, and so its schedule."""
    return platform.partitions[home_of("shop/tidy", len(platform.partitions))]


async def state(platform: Harness) -> ScheduleState:
    """What is known of the only schedule."""
    [id] = platform.registry.snapshot.schedules
    partition = home(platform)
    return ScheduleState.parse(await partition.read("HGET", partition.keys.name("k_schedules"), id))


async def total(platform: Harness, command: str, name: str) -> int:
    """What a command says of a key, in all partitions together."""
    return sum([await partition.read(command, partition.keys.name(name)) for partition in platform.partitions])


async def run_ids(platform: Harness) -> list[str]:
    """All runs, those of early times first."""
    partition = home(platform)
    return [id.decode() for id in await partition.read("ZRANGE", partition.keys.name("k_runs_of", "shop/tidy"), 0, -1)]


async def fired(platform: Harness) -> list[int]:
    """The times that have started runs, in ms since the start."""
    events = [await platform.event((await platform.run(id)).event) for id in await run_ids(platform)]
    return [event.ts - START for event in events]


async def test_a_schedule_starts_a_run_at_each_of_its_times(store: Store) -> None:
    async with harness(store, app_of("30 9 * * *", tz="Europe/Berlin")) as platform:
        await platform.advance(8 * HOUR + 30 * MINUTE - 1)
        assert await fired(platform) == []
        await platform.advance(1)
        [run] = await run_ids(platform)
        at = int(datetime(2026, 1, 1, 8, 30, tzinfo=UTC).timestamp() * 1000)
        assert await platform.output(run) == ["inngest/scheduled.timer", {"cron": "30 9 * * *"}, at]
        assert (await platform.run(run)).link.startswith("cron shop/tidy/")
        await platform.advance(DAY)
        assert await fired(platform) == [at - START, at - START + DAY]


async def test_its_event_is_kept_for_the_run_alone_and_goes_with_it(store: Store) -> None:
    async with harness(store, app_of()) as platform:
        await platform.advance(HOUR)
        [run] = await run_ids(platform)
        await platform.output(run)
        assert await home(platform).read("XLEN", home(platform).keys.name("k_log")) == 0
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []


async def test_several_schedules_of_a_function_at_one_time_start_one_run(store: Store) -> None:
    app = App("shop")

    @app.function(on=[cron("0 * * * *"), cron("0 12 * * *"), "tidy.now"])
    async def tidy(ctx: Context[Any]) -> str:
        return ctx.event.name

    async with harness(store, app) as platform:
        await platform.advance(11 * HOUR)
        await platform.advance(HOUR)
        assert (await fired(platform))[-1] == 12 * HOUR
        assert len(set(await fired(platform))) == len(await fired(platform))
        assert await platform.output(await platform.start("tidy.now")) == "tidy.now"


async def test_limits_on_concurrency_hold_for_runs_of_schedules(store: Store) -> None:
    app = App("shop")

    @app.function(on=cron("@hourly", catch_up="all", window="1d"), concurrency=Concurrency(1, key="event.data.shop"))
    async def tidy(ctx: Context[Any]) -> str:
        return ctx.run_id

    async with harness(store, app) as platform:
        await platform.advance(3 * HOUR)
        runs = await run_ids(platform)
        assert len(runs) == 3
        assert [await platform.output(run) for run in runs] == runs
        assert (await platform.run(runs[0])).lane == "shop/tidy|=null"


async def test_jitter_delays_each_time_by_less_than_it_says_and_always_alike(store: Store) -> None:
    async with harness(store, app_of("*/10 * * * *", jitter="5m"), worker=False) as platform:
        [schedule] = platform.registry.snapshot.schedules.values()
        late = [schedule.due(START + at * 10 * MINUTE) - (START + at * 10 * MINUTE) for at in range(1, 100)]
        assert 0 <= min(late) < MINUTE
        assert 4 * MINUTE < max(late) <= 5 * MINUTE
        await platform.advance(10 * MINUTE + late[0] - 1)
        assert await fired(platform) == []
        await platform.advance(1)
        assert await fired(platform) == [10 * MINUTE]


async def test_jitter_never_lets_a_time_be_overtaken_by_the_next(store: Store) -> None:
    async with harness(store, app_of("* * * * *", jitter="1d"), worker=False) as platform:
        [schedule] = platform.registry.snapshot.schedules.values()
        dues = [schedule.due(START + at * MINUTE) for at in range(100)]
        assert dues == sorted(set(dues))


async def test_timeouts_and_keys_hold_for_runs_of_schedules(store: Store) -> None:
    app = App("shop")

    @app.function(
        on=cron("@hourly"),
        timeouts=Timeouts(start="10m"),
        idempotency=Idempotency("event.data.cron", period="90m"),
    )
    async def tidy(ctx: Context[Any]) -> None: ...

    async with harness(store, app, worker=False) as platform:
        for _ in range(3):
            await platform.advance(HOUR)
        assert await fired(platform) == [HOUR, 3 * HOUR]
        assert (await state(platform)).skipped == 1
        first, _ = await run_ids(platform)
        assert (await platform.run(first)).status is Status.CANCELLED


# Overlap.


@pytest.mark.parametrize(
    ("overlap", "times", "statuses"),
    [
        ("allow", [1, 2, 3], ["waiting", "waiting", "waiting"]),
        ("skip", [1], ["waiting"]),
        ("queue", [1], ["waiting"]),
        ("cancel_old", [1, 2, 3], ["cancelled", "cancelled", "waiting"]),
    ],
)
async def test_what_a_run_that_has_not_ended_means_for_the_next_time(
    store: Store, overlap: Overlap, times: list[int], statuses: list[str]
) -> None:
    async with harness(store, app_of(nap="10h", overlap=overlap)) as platform:
        for _ in range(3):
            await platform.advance(HOUR)
            for run in await run_ids(platform):
                await platform.until(run, Status.WAITING, Status.CANCELLED)
        assert await fired(platform) == [hour * HOUR for hour in times]
        assert [(await platform.run(run)).status for run in await run_ids(platform)] == statuses
        known = await state(platform)
        assert known.next == START + 4 * HOUR
        assert known.skipped == (2 if overlap == "skip" else 0)
        assert known.held == ((START + 2 * HOUR, START + 3 * HOUR) if overlap == "queue" else ())


async def test_queued_times_follow_one_another_as_runs_end(store: Store) -> None:
    async with harness(store, app_of("@hourly", nap="90m", overlap="queue")) as platform:
        for _ in range(2):
            await platform.advance(HOUR)
            await platform.until((await run_ids(platform))[-1], Status.WAITING)
        assert await fired(platform) == [HOUR]
        await platform.advance(30 * MINUTE)
        await platform.output((await run_ids(platform))[0])
        await platform.scheduler.tick()
        assert await fired(platform) == [HOUR, 2 * HOUR]
        await platform.advance(30 * MINUTE)
        assert (await state(platform)).held == (START + 3 * HOUR,)
        await platform.cancel((await run_ids(platform))[-1])
        await platform.scheduler.tick()
        assert await fired(platform) == [HOUR, 2 * HOUR, 3 * HOUR]
        assert (await state(platform)).held == ()


async def test_no_more_times_are_queued_than_64(store: Store) -> None:
    async with harness(store, app_of("* * * * *", nap="10d", overlap="queue", catch_up="all", window="1d")) as platform:
        await platform.advance(MINUTE)
        await platform.advance(70 * MINUTE)
        known = await state(platform)
        assert (len(known.held), known.missed, known.next) == (64, 6, START + 72 * MINUTE)


async def test_cancelling_the_old_run_asks_the_worker_that_executes_it(store: Store) -> None:
    app, ended = App("shop"), list[str]()

    @app.function(on=cron("@hourly", overlap="cancel_old"))
    async def tidy(ctx: Context[Any]) -> None:
        try:
            await asyncio.sleep(30 if ctx.event.ts == START + HOUR else 0)
        except asyncio.CancelledError:
            ended.append(ctx.run_id)
            raise

    async with harness(store, app) as platform:
        await platform.advance(HOUR)
        [first] = await run_ids(platform)
        await platform.until(first, Status.RUNNING)
        await platform.advance(HOUR)
        await platform.until(first, Status.CANCELLED)
        assert ended == [first]
        await platform.output((await run_ids(platform))[1])


async def test_the_old_run_goes_on_when_the_new_one_is_held_back_by_its_key(store: Store) -> None:
    app = App("shop")

    @app.function(on=cron("@hourly", overlap="cancel_old"), idempotency=Idempotency("event.data.cron", period="150m"))
    async def tidy(ctx: Context[Any]) -> None:
        await ctx.step.sleep("nap", "10h")

    async with harness(store, app) as platform:
        await platform.advance(HOUR)
        [first] = await run_ids(platform)
        await platform.until(first, Status.WAITING)
        await platform.advance(HOUR)
        assert (await platform.run(first)).status is Status.WAITING
        assert await fired(platform) == [HOUR]
        assert ((await state(platform)).skipped, (await state(platform)).run) == (1, first)
        await platform.advance(HOUR)
        await platform.advance(HOUR)
        assert (await platform.run(first)).status is Status.CANCELLED
        assert await fired(platform) == [HOUR, 4 * HOUR]


async def test_the_old_run_makes_room_for_the_new_one(store: Store) -> None:
    app = App("shop")

    @app.function(on=cron("@hourly", overlap="cancel_old"), concurrency=1)
    async def tidy(ctx: Context[Any]) -> int:
        if ctx.event.ts == START + HOUR:
            await asyncio.sleep(30)
        return ctx.event.ts

    async with harness(store, app) as platform:
        await platform.advance(HOUR)
        [first] = await run_ids(platform)
        await platform.until(first, Status.RUNNING)
        await platform.advance(HOUR)
        await platform.until(first, Status.CANCELLED)
        assert await platform.output((await run_ids(platform))[1]) == START + 2 * HOUR


# Standstills, pauses, clocks.


@pytest.mark.parametrize(
    ("catch_up", "window", "times", "missed"),
    [
        ("none", "3h", [], 5),
        ("last", "3h", [5], 4),
        ("last", "10m", [], 5),
        ("all", "3h", [3, 4, 5], 2),
        ("all", "1d", [1, 2, 3, 4, 5], 0),
    ],
)
async def test_what_is_made_up_for_after_a_standstill(
    store: Store, catch_up: CatchUp, window: str, times: list[int], missed: int
) -> None:
    async with harness(store, app_of(catch_up=catch_up, window=window), worker=False) as platform:
        await platform.advance(5 * HOUR + 30 * MINUTE)
        assert await fired(platform) == [hour * HOUR for hour in times]
        known = await state(platform)
        assert (known.missed, known.next) == (missed, START + 6 * HOUR)
        await platform.advance(30 * MINUTE)
        assert (await fired(platform))[-1] == 6 * HOUR


async def test_a_delay_of_less_than_a_minute_is_no_standstill(store: Store) -> None:
    async with harness(store, app_of(catch_up="none"), worker=False) as platform:
        await platform.advance(HOUR + 59 * SECOND)
        await platform.advance(HOUR)
        await platform.advance(HOUR + 2 * SECOND)
        assert await fired(platform) == [HOUR, 2 * HOUR]
        assert (await state(platform)).missed == 1


async def test_ten_years_of_standstill_are_passed_over_at_once(store: Store) -> None:
    async with harness(store, app_of("* * * * *", jitter="10s"), worker=False) as platform:
        await platform.advance(3_650 * DAY + 30 * SECOND)
        assert await fired(platform) == [3_650 * DAY]
        assert (await state(platform)).missed == 100


async def test_others_have_their_turn_while_many_schedules_catch_up(monkeypatch: pytest.MonkeyPatch) -> None:
    app, decided, turns = App("shop"), list[str](), [0]
    for index in range(64):

        @app.function(id=f"f{index}", on=cron(f"{index % 60} */{1 + index // 60} * * *"))
        async def tidy(ctx: Context[Any]) -> None: ...

    async def decide_slowly(schedule: Schedule, first: int, now: int) -> Decision:
        ends = time.perf_counter() + 0.001
        while time.perf_counter() < ends:
            pass
        decided.append(schedule.id)
        return await decide(schedule, first, now)

    async def watch() -> None:
        while True:
            turns.append(len(decided))
            await asyncio.sleep(0)

    monkeypatch.setattr("stepwell.platform.cron.crons.decide", decide_slowly)
    async with memory_store(Settings(partitions=1)) as store, harness(store, app, worker=False) as platform:
        watching = asyncio.create_task(watch())
        await platform.advance(30 * DAY)
        watching.cancel()
        assert len(set(decided)) == 64
        assert max(after - before for before, after in itertools.pairwise(turns)) < 10


async def test_a_new_server_goes_on_where_the_old_one_ended(store: Store) -> None:
    async with harness(store, app_of(), worker=False) as platform:
        await platform.advance(HOUR)
        platform.clock.advance(HOUR)
        restarted = Scheduler(platform.partitions, platform.clock, Settings(), platform.waits.errands)
        await restarted.tick()
        await restarted.tick()
        assert await fired(platform) == [HOUR, 2 * HOUR]


async def test_a_pause_ends_as_a_standstill_does(store: Store) -> None:
    async with harness(store, app_of(catch_up="all", window="1d"), worker=False) as platform:
        [id] = platform.registry.snapshot.schedules
        partition = home(platform)
        await partition.script("mark", items=[(id, "pause", 0)])
        await platform.advance(2 * HOUR)
        assert await fired(platform) == []
        assert (await state(platform)).paused == START
        await partition.script("mark", items=[(id, "resume", (await state(platform)).next)])
        await platform.scheduler.tick()
        assert await fired(platform) == [HOUR, 2 * HOUR]


@pytest.mark.parametrize("back", [2 * SECOND, 30 * MINUTE, 90 * MINUTE, 30 * DAY])
async def test_a_clock_that_goes_back_fires_no_time_twice(store: Store, back: int) -> None:
    async with harness(store, app_of(catch_up="all", window="1d"), worker=False) as platform:
        await platform.advance(HOUR)
        await platform.advance(HOUR)
        platform.clock.advance(-back)
        for _ in range(10):
            await platform.advance(15 * MINUTE)
        times = await fired(platform)
        assert len(times) == len(set(times))
        assert {HOUR, 2 * HOUR} <= set(times)


async def test_a_clock_that_was_ahead_for_a_while_loses_no_time(store: Store) -> None:
    async with harness(store, app_of(), worker=False) as platform:
        await platform.advance(HOUR)
        await platform.advance(365 * DAY)
        await platform.advance(-365 * DAY)
        await platform.advance(HOUR)
        await platform.advance(HOUR)
        assert await fired(platform) == [HOUR, 2 * HOUR, 3 * HOUR, 365 * DAY + HOUR]


# Registration.


@pytest.mark.parametrize("expr", ["0 0 31 2 *", "0 0 31 feb,apr *"])
async def test_a_schedule_that_never_comes_is_refused(store: Store, expr: str) -> None:
    async with harness(store, worker=False) as platform:
        with pytest.raises(InvalidManifest, match="never comes"):
            await platform.registry.register(app_of(expr).manifest)
        assert not (await platform.registry.load()).schedules


async def test_a_registration_that_leaves_a_schedule_alone_changes_nothing_of_it(store: Store) -> None:
    async with harness(store, app_of(), worker=False) as platform:
        await platform.advance(HOUR + 59 * MINUTE)
        before = await state(platform)
        platform.clock.advance(5 * MINUTE)
        await platform.registry.register(app_of(window="2h").manifest)
        assert await state(platform) == before
        await platform.scheduler.tick()
        assert await fired(platform) == [HOUR, 2 * HOUR]


async def test_a_changed_schedule_begins_anew_and_a_removed_one_is_gone(store: Store) -> None:
    async with harness(store, app_of(), worker=False) as platform:
        await platform.advance(HOUR)
        await platform.registry.register(app_of("45 * * * *").manifest)
        assert (await state(platform)).next == START + HOUR + 45 * MINUTE
        await platform.advance(45 * MINUTE)
        assert await fired(platform) == [HOUR, HOUR + 45 * MINUTE]
        await platform.registry.register(App("shop").manifest)
        await platform.advance(DAY)
        assert await fired(platform) == [HOUR, HOUR + 45 * MINUTE]
        partition = home(platform)
        assert await partition.read("EXISTS", partition.keys.name("k_schedules"), partition.keys.name("k_crons")) == 0


async def test_hundreds_of_schedules_are_taken_up_and_dropped(store: Store) -> None:
    app = App("shop")
    for index in range(200):

        @app.function(id=f"f{index}", on=cron(f"{index % 60} {index % 24} * * *", catch_up="all", window="2d"))
        async def tidy(ctx: Context[Any]) -> None: ...

    async with harness(store, app, worker=False) as platform:
        await platform.advance(DAY + MINUTE)
        assert await total(platform, "ZCARD", "k_live") == await total(platform, "HLEN", "k_schedules") == 200
        await platform.registry.register(App("shop").manifest)
        assert await total(platform, "HLEN", "k_schedules") == 0


async def test_a_schedule_that_another_version_registered_is_left_to_it(store: Store) -> None:
    async with harness(store, app_of("@hourly"), worker=False) as platform:
        partition = platform.partitions[0]
        manifest = app_of().manifest.model_dump_json().replace("UTC", "Europe/Atlantis")
        await partition.script("register", "shop", manifest, 1)
        await platform.registry.spread()
        await platform.advance(DAY)
        assert await fired(platform) == []
        assert decode(manifest)["id"] == "shop"


# Several schedulers.


@pytest.mark.parametrize("first", [0, 1])
async def test_two_schedulers_that_have_both_looked_fire_a_time_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Both know that it is due before either fires; then one comes first, and then the other."""
    look, fire, taken = Crons._look, Crons._fire, list[bytes]()  # pyright: ignore[reportPrivateUsage]
    both, turn = asyncio.Barrier(2), [asyncio.Event(), asyncio.Event()]
    order: dict[Any, int] = {}

    async def look_together(crons: Crons) -> Due:
        found = await look(crons)
        if crons not in order:
            order[crons] = len(order)
            await both.wait()
        return found

    async def fire_in_turn(crons: Crons, found: Due) -> Any:
        place = (order[crons] ^ first) & 1
        if place:
            await turn[0].wait()
        answers = await fire(crons, found)
        turn[place].set()
        taken.extend(answers)
        return answers

    async with harness(store, app_of("* * * * *"), worker=False) as platform:
        parts = (platform.partitions, platform.clock, Settings(), platform.waits.errands)
        schedulers = [Scheduler(*parts), Scheduler(*parts)]
        for scheduler in schedulers:
            await scheduler.fire()
        monkeypatch.setattr(Crons, "_look", look_together)
        monkeypatch.setattr(Crons, "_fire", fire_in_turn)
        platform.clock.advance(MINUTE)
        await asyncio.gather(*[scheduler.fire() for scheduler in schedulers])
        assert taken == [b"OK", b"LOST"]
        assert await fired(platform) == [MINUTE]
        assert (await state(platform)).next == START + 2 * MINUTE


async def test_many_schedulers_at_once_fire_each_time_once(store: Store) -> None:
    async with harness(store, app_of("* * * * *"), worker=False) as platform:
        parts = (platform.partitions, platform.clock, Settings(), platform.waits.errands)
        schedulers = [Scheduler(*parts) for _ in range(5)]
        for _ in range(5):
            platform.clock.advance(MINUTE)
            await asyncio.gather(*[scheduler.fire() for scheduler in schedulers])
        assert await fired(platform) == [minute * MINUTE for minute in range(1, 6)]


async def test_who_has_looked_and_comes_second_finds_the_time_taken(store: Store) -> None:
    async with harness(store, app_of("* * * * *"), worker=False) as platform:
        partition, [id] = home(platform), platform.registry.snapshot.schedules
        version = platform.registry.snapshot.version
        first, second = START + MINUTE, START + 2 * MINUTE
        item = (id, first, 0, second, second, 1, "allow", *NOTHING)
        await platform.advance(MINUTE)
        assert await partition.script("fire", version, 0, 64, items=[item]) == [b"LOST"]
        assert await partition.script("fire", version - 1, 0, 64, items=[item]) == [b"RELOAD"]
        assert (await state(platform)).missed == 0


async def test_a_scheduler_that_knows_an_old_registry_reads_the_new_one(store: Store) -> None:
    async with harness(store, app_of(), worker=False) as platform:
        other = Scheduler(platform.partitions, platform.clock, Settings(), platform.waits.errands)
        await platform.advance(HOUR)
        await platform.registry.register(app_of("30 * * * *").manifest)
        platform.clock.advance(30 * MINUTE)
        await other.tick()
        assert await fired(platform) == [HOUR, HOUR + 30 * MINUTE]


async def test_a_registration_that_was_cut_short_is_completed_by_the_scheduler(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: Any) -> None:
        raise ConnectionError

    async with harness(store, worker=False) as platform:
        with monkeypatch.context() as broken:
            broken.setattr(Plan, "take_up", cut)
            with pytest.raises(ConnectionError):
                await platform.registry.register(app_of().manifest)
        await platform.scheduler.tick()
        await platform.advance(HOUR)
        assert await fired(platform) == [HOUR]


async def test_a_registration_that_was_cut_short_at_once_keeps_no_schedule_from_firing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(*_: Any) -> None:
        raise ConnectionError

    async with harness(store, app_of(), worker=False) as platform:
        with monkeypatch.context() as broken:
            broken.setattr(Registry, "spread", cut)
            with pytest.raises(ConnectionError):
                await platform.registry.register(app_of("30 * * * *").manifest)
        await platform.registry.load()  # as a server does that starts, or that is asked for its schedules
        await platform.advance(1)
        await platform.advance(30 * MINUTE - 1)
        assert await fired(platform) == [30 * MINUTE]


async def test_schedules_are_at_home_in_the_partition_of_their_function() -> None:
    app = App("shop")
    for index in range(20):

        @app.function(id=f"f{index}", on=cron("@hourly"))
        async def tidy(ctx: Context[Any]) -> int:
            return ctx.event.ts

    async with memory_store(Settings(partitions=4)) as store, harness(store, app) as platform:
        await platform.advance(HOUR)
        counts = list[int]()
        for partition in platform.partitions:
            counts.append(await partition.read("ZCARD", partition.keys.name("k_crons")))
            for index in range(20):
                found = await partition.read("ZRANGE", partition.keys.name("k_runs_of", f"shop/f{index}"), 0, -1)
                assert [await platform.output(run.decode()) for run in found] == [START + HOUR] * len(found)
        assert sum(counts) == 20
        assert min(counts) > 0


async def test_a_scheduler_wakes_in_time_by_itself_and_when_a_schedule_is_registered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time of Redis: a time that is half a second off is fired then, whoever wrote it down."""
    monkeypatch.setattr("stepwell.platform.cron.crons.IDLE", 60_000)
    async with harness(store, app_of("0 0 1 1 *"), worker=False) as platform:
        clock = SystemClock()
        partitions = partitions_of(store, clock)
        running = asyncio.create_task(Scheduler(partitions, clock, Settings(), platform.waits.errands).run())
        [id] = platform.registry.snapshot.schedules
        await platform.eventually(lambda: _is_listening(platform))
        there = partitions[home(platform).index]
        due = await time_at(there) + 500
        name = there.keys.name
        text = await there.read("HGET", name("k_schedules"), id)
        await there.read("HSET", name("k_schedules"), id, b"%d %s" % (due, text.partition(b" ")[2]))
        await there.script("mark", items=[(id, "pause", 0)])
        await there.script("mark", items=[(id, "resume", due)])
        await platform.eventually(lambda: _any_runs(platform))
        assert 0 <= (await state(platform)).fired - due < 5_000
        running.cancel()


async def _is_listening(platform: Harness) -> bool:
    _, listeners = await platform.partitions[0].read("PUBSUB", "NUMSUB", crons_channel(home(platform).keys.tag))
    return bool(listeners)


async def _any_runs(platform: Harness) -> bool:
    return bool(await run_ids(platform))
