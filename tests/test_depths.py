"""What each function has to do, and who does it."""

from collections.abc import AsyncGenerator
from dataclasses import asdict, replace

import httpx2
import pytest

from stepwell.platform.clock import ManualClock
from stepwell.platform.codec import encode
from stepwell.platform.engine.cards import Card, Cards
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.partition import partitions_of
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.executor.introducing import introduced
from stepwell.platform.flow.pausing import Pausing
from stepwell.platform.reading.depths import Depth
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function

LIMITED = {"concurrency": [{"limit": 1, "key": "event.data.customer"}]}
THROTTLED = {"throttle": {"limit": 1, "period": 60_000}}
CARD = Card("here", 7, {"shop": "3"}, ("shop/plain",), 8, 1_000, "1.0", 15_000)


@pytest.fixture
async def desk(store: Store) -> Desk:
    """Four functions, on the store of every kind."""
    desk = Desk.over(store)
    await desk.register(
        function("plain", "plain"),
        function("limited", "limited", **LIMITED),
        function("throttled", "throttled", **THROTTLED),
        function("idle", "idle"),
    )
    return desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def depth(desk: Desk, name: str) -> Depth:
    """Of one function, asked for among all."""
    names = [f"shop/{one}" for one in ("plain", "limited", "throttled", "idle")]
    return (await desk.installation.history.depths(names))[f"shop/{name}"]


async def test_runs_that_are_ready_and_that_execute_are_told_apart(desk: Desk) -> None:
    first, second, _ = [await desk.start("plain") for _ in range(3)]
    assert await depth(desk, "plain") == Depth("shop/plain", ready=3, oldest=first)
    leases = Leases(desk.installation.partitions[0], 15_000, 3)
    await leases.lease("w", "w:1", 1, ["shop/plain"])
    assert await depth(desk, "plain") == Depth("shop/plain", ready=2, executing=1, oldest=second)
    assert await depth(desk, "idle") == Depth("shop/idle")


async def test_what_runs_wait_behind_is_told(desk: Desk) -> None:
    for customer in ("ann", "ann", "ann", "bob"):
        await desk.start("limited", {"customer": customer})
    await desk.start("throttled")
    await desk.start("throttled")
    await desk.lease("shop/limited", "shop/throttled")
    limited, throttled = await depth(desk, "limited"), await depth(desk, "throttled")
    assert (limited.ready, limited.blocked, limited.executing, limited.waiting) == (0, 2, 2, 2)
    assert (throttled.ready, throttled.throttled, throttled.executing) == (0, 1, 1)
    assert limited.oldest


async def test_runs_of_a_paused_function_are_told(desk: Desk) -> None:
    await Pausing(desk.installation.partitions, desk.installation.registry).pause("shop/plain", "keep")
    await desk.start("plain")
    assert await desk.lease("shop/plain") == []
    assert (await depth(desk, "plain")).paused == 1


async def test_of_very_many_lanes_it_is_said_that_there_are_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.platform.reading.depths.MOST_LANES", 2)
    for number in range(4):
        await desk.start("limited", {"customer": number})
    found = await depth(desk, "limited")
    assert (found.ready, found.more) == (2, True)
    assert not (await depth(desk, "plain")).more


async def test_the_queues_are_told_by_the_api(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await desk.start("plain")
    found = (await client.get("/api/v1/queues")).json()["data"]
    assert [queue["function"] for queue in found] == ["shop/idle", "shop/limited", "shop/plain", "shop/throttled"]
    [queue] = (await client.get("/api/v1/queues", params={"function": "shop/plain"})).json()["data"]
    assert queue == {
        "function": "shop/plain",
        "ready": 1,
        "blocked": 0,
        "throttled": 0,
        "paused": 0,
        "moved": 0,
        "executing": 0,
        "workers": 0,
        "oldest": run,
        "more": False,
    }
    assert (await client.get("/api/v1/queues", params={"function": "shop/none"})).status_code == 404


async def test_a_worker_is_known_by_its_card_until_it_is_declared_dead(desk: Desk, client: httpx2.AsyncClient) -> None:
    first = desk.installation.partitions[0]
    await desk.lease("shop/plain")
    await Cards(first).show("w1", CARD)
    [worker] = await desk.installation.history.workers()
    assert worker.card == CARD
    [told] = (await client.get("/api/v1/workers")).json()["data"]
    assert (told["host"], told["apps"], told["slots"], told["started_at"]) == ("here", {"shop": "3"}, 8, 1_000)
    await Leases(first, 15_000, 3).reap("w1", (), "idle")
    assert await Cards(first).of(["w1"]) == [None]


async def test_a_worker_says_that_it_drains_and_takes_its_card_back_when_it_ends(store: Store) -> None:
    [first, *_] = partitions_of(store, ManualClock())
    cards = Cards(first)
    async with introduced(cards, "w1", CARD) as introduction:
        await introduction.drain()
        assert await cards.of(["w1"]) == [replace(CARD, draining=True)]
        assert await first.read("TTL", first.keys.name("k_card", "w1")) > 0
    assert await cards.of(["w1"]) == [None]


async def test_a_worker_works_on_when_its_card_cannot_be_put_down(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("redis://shop", "connection refused")

    monkeypatch.setattr(Cards, "show", away)
    cards = Cards(partitions_of(store, ManualClock())[0])
    async with introduced(cards, "w1", CARD) as introduction:
        await introduction.drain()
    assert await cards.of(["w1"]) == [None]


async def test_what_a_later_version_says_besides_is_left_out() -> None:
    told = encode({**asdict(CARD), "mood": "good"})
    assert Card.parse(told) == CARD


async def test_the_oldest_runs_and_the_functions_that_fail_are_found(desk: Desk) -> None:
    history = desk.installation.history
    await desk.start("idle")
    await desk.finish_all("shop/idle", status="failed", body={})
    first, second = await desk.start("plain"), await desk.start("limited")
    assert [run.id for run in await history.oldest(1)] == [first]
    assert [run.id for run in await history.oldest(9)] == [first, second]
    assert await history.failing(10) == ["shop/idle"]


async def test_totals_are_the_sums_of_rates(desk: Desk) -> None:
    history, began = desk.installation.history, desk.clock.now()
    for _ in range(3):
        await desk.start("plain")
        await desk.finish_all("shop/plain")
        desk.clock.advance(50 * 60_000)
    end = desk.clock.now()
    for after in (began, began + 60_000, began + 50 * 60_000, end - 60_000):
        found = await history.totals(["shop/idle", "shop/plain"], after, end)
        rates = await history.rates("shop/plain", after, end, 60_000, end)  # type: ignore[arg-type]
        assert found["shop/plain"].completed == sum(point.completed for point in rates.points)
        assert found["shop/idle"].created == 0
    assert (await history.totals(["shop/plain"], began, end))["shop/plain"].completed == 3


async def test_the_schedules_that_fire_next_are_found() -> None:
    async with memory_store(partitions=2) as store:
        desk = Desk.over(store)
        crons = {"late": "0 9 1 2 *", "soon": "* * * * *", "daily": "0 0 * * *"}
        await desk.register(
            *[{"id": name, "triggers": [{"cron": cron}], "retries": {"times": 0}} for name, cron in crons.items()]
        )
        found = await desk.installation.schedules.soonest(2)
        assert [view.schedule.function for view in found] == ["shop/soon", "shop/daily"]
        await desk.installation.schedules.pause(found[0].schedule.id)
        assert [one.schedule.function for one in await desk.installation.schedules.soonest(1)] == ["shop/daily"]
