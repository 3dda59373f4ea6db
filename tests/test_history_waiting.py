"""Why a run does not go on is said in a way that programs can read."""

import asyncio

import pytest

from stepwell.platform.engine.partition import Partition
from stepwell.platform.history import RunView
from stepwell.platform.reading import steps as reading
from stepwell.platform.records import Lease, Status
from stepwell.platform.store.keys import wake_channel
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    return desk


async def view(desk: Desk, run: str) -> RunView:
    found = await desk.installation.history.run(run)
    assert found
    return found


async def leased(desk: Desk, name: str = "order.placed") -> Lease:
    await desk.start(name)
    [lease] = await desk.lease("shop/fulfil")
    return lease


async def test_a_sleep(desk: Desk) -> None:
    lease = await leased(desk)
    owner = desk.owner()
    await owner.arm(lease.run, lease.token, 1, "nap", "sleep", delay=60_000, until=None, payload=b"")
    await owner.suspend(lease.run, lease.token, 2, 0)
    found = await view(desk, lease.run)
    assert found.run.status is Status.WAITING
    [wait] = found.waiting_on
    assert (wait.kind, wait.step, wait.until) == ("sleep", "nap", desk.clock.now() + 60_000)


async def test_two_branches_and_what_is_done_already(desk: Desk) -> None:
    lease = await leased(desk)
    owner = desk.owner()
    error = b'{"type":"E","message":"no","traceback":[]}'
    await owner.checkpoint(
        lease.run, lease.token, 1, "charge", "run", ok=True, attempts=1, took=5, payload=b'{"paid":true}'
    )
    await owner.arm(lease.run, lease.token, 2, "nap", "sleep", delay=60_000, until=None, payload=b"")
    await owner.retry_step(lease.run, lease.token, 3, "ship", "run", attempts=2, delay=30_000, took=7, error=error)
    await owner.suspend(lease.run, lease.token, 4, 1)
    retry, nap = (await view(desk, lease.run)).waiting_on
    assert (retry.kind, retry.step, retry.until, retry.attempts) == ("retry", "ship", desk.clock.now() + 30_000, 2)
    assert retry.error == error
    assert (nap.kind, nap.step) == ("sleep", "nap")


async def test_a_retry_of_the_function(desk: Desk) -> None:
    lease = await leased(desk)
    await desk.owner().retry_body(lease.run, lease.token, 1, delay=5_000, error=b'{"type":"E"}')
    [wait] = (await view(desk, lease.run)).waiting_on
    assert (wait.kind, wait.step, wait.until, wait.attempts) == ("retry", None, desk.clock.now() + 5_000, 1)
    assert wait.error == b'{"type":"E"}'


async def test_a_start_that_the_event_delays(desk: Desk) -> None:
    due = desk.clock.now() + 90_000
    run = await desk.start("order.placed", ts=due)
    [wait] = (await view(desk, run)).waiting_on
    assert (wait.kind, wait.until) == ("start", due)


async def test_a_worker_when_none_listens_and_else_its_place_in_the_lane(desk: Desk) -> None:
    await desk.start("order.placed")
    second = await desk.start("order.placed")
    [wait] = (await view(desk, second)).waiting_on
    assert wait.kind == "worker"
    async with desk.installation.store.subscribe(wake_channel("shop/fulfil")) as messages:
        assert await anext(messages) is None
        [wait] = (await view(desk, second)).waiting_on
        assert (wait.kind, wait.ahead) == ("queue", 1)
        known = await desk.installation.history.function("shop/fulfil")
        assert known
        assert (known.workers, known.runs) == (1, 2)


async def test_a_slot_of_a_concurrency_key(store: Store) -> None:
    desk = Desk.over(store)
    limits = [{"limit": 2, "key": "event.data.customer"}]
    await desk.register(function("fulfil", concurrency=limits))
    for _ in range(2):
        await desk.start("order.placed", {"customer": "Zoë & Co"})
    waiting = await desk.start("order.placed", {"customer": "Zoë & Co"})
    assert len(await desk.lease("shop/fulfil")) == 2
    assert await desk.lease("shop/fulfil") == []
    [wait] = (await view(desk, waiting)).waiting_on
    assert (wait.kind, wait.key, wait.limit, wait.held) == ("concurrency", "Zoë & Co", 2, 2)


async def test_nothing_when_it_runs_or_has_ended(desk: Desk) -> None:
    lease = await leased(desk)
    assert (await view(desk, lease.run)).waiting_on == ()
    await desk.finish(lease)
    assert (await view(desk, lease.run)).waiting_on == ()


async def test_steps_come_in_the_order_in_which_they_began(desk: Desk) -> None:
    lease = await leased(desk)
    owner = desk.owner()
    for seq, key in enumerate(["b", "a", "a:1"], start=1):
        desk.clock.advance(10)
        await owner.checkpoint(lease.run, lease.token, seq, key, "run", ok=True, attempts=1, took=3, payload=b"1")
    await owner.arm(lease.run, lease.token, 9, "nap", "sleep", delay=1_000, until=None, payload=b"")
    rows = await desk.installation.history.steps(lease.run)
    assert rows
    assert [row.key for row in rows] == ["b", "a", "a:1", "nap"]


@pytest.mark.parametrize("at_once", [1 << 20, 0])
async def test_many_steps_are_all_there_however_they_are_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", at_once)
    lease = await leased(desk)
    owner = desk.owner()
    await asyncio.gather(
        *[
            owner.checkpoint(
                lease.run, lease.token, 1 + index, f"s{index}", "run", ok=True, attempts=1, took=1, payload=b"x" * 100
            )
            for index in range(600)
        ]
    )
    rows = await desk.installation.history.steps(lease.run)
    assert rows
    assert {row.key for row in rows} == {f"s{index}" for index in range(600)}
    assert len(rows) == 600


async def test_a_run_on_its_way_to_another_partition_is_queued() -> None:
    async with memory_store(partitions=4) as store:
        desk = Desk.over(store)
        await desk.register(function("fulfil", concurrency=[{"limit": 1}]))
        while True:
            event = await desk.installation.history.event(await desk.send("order.placed"))
            assert event
            [found] = await desk.installation.history.event_runs(event)
            if not await created(desk.installation.partitions, found.run.id):
                break
        assert (found.run.id, found.run.status, found.event_name) == (event.runs[0], Status.QUEUED, "order.placed")
        assert await desk.installation.history.ended_runs(event.id, event.name, event.runs) is None
        headers = await desk.installation.history.headers([event], 1)
        assert headers[event.runs[0]].status is Status.QUEUED


async def created(partitions: tuple[Partition, ...], run: str) -> bool:
    return any([await part.read("EXISTS", part.keys.name("k_run", run)) for part in partitions])
