"""Runs that are at home elsewhere get there, once and in order, whatever stands in the way of others."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from stepwell.platform.engine.runs import Created, Creation, Runs
from stepwell.platform.errors import StepwellError, StoreUnavailable
from stepwell.platform.ids import run_id
from stepwell.platform.outbox import BATCH, Outbox, Outboxes
from stepwell.platform.store.connection import Argument
from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.store import Store
from tests.engine_bench import Bench, store_over


class Unreachable(Runs):
    """A partition whose server is down."""

    async def create(self, creations: Sequence[Creation]) -> list[Created]:
        raise StoreUnavailable("redis://down", "connection refused")


@pytest.fixture
async def bench() -> AsyncGenerator[Bench]:
    """Two partitions in memory; the first has something for the second."""
    async with store_over(Remembered()) as store:
        bench = Bench(store)
        await bench.clear()
        yield bench


async def test_all_of_a_full_outbox_is_delivered_in_order(bench: Bench) -> None:
    runs = [await bench.send(target="1") for _ in range(2 * BATCH + 1)]
    await bench.outbox.empty()
    assert await bench.outbox.deliver() == 0
    first, second, third = [await bench.other.lease("w") for _ in range(3)]
    assert set(first + second + third) == set(runs)
    assert not await bench.exists("k_outboxes")


async def test_two_who_deliver_at_once_create_nothing_twice(bench: Bench) -> None:
    runs = [await bench.send(target="1") for _ in range(5)]
    await asyncio.gather(*[bench.outbox.deliver() for _ in range(3)])
    assert sorted(await bench.other.lease("w")) == sorted(runs)
    assert await bench.other.lease("w") == []
    assert not await bench.exists("k_outbox", "1")


async def test_large_events_travel_in_calls_of_about_a_mebibyte(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"name":"n","data":{"x":"%s"}}' % (b"x" * 400_000)
    runs: list[str] = []
    for _ in range(5):
        event = bench.event()
        runs.append(run_id(event, "app/f", 1))
        assert await bench.ingest.add((1, event, "", 0, "", f"{runs[-1]} app/f v1 1 - -", body)) == b"OK"
    calls: list[int] = []
    begin = Store.begin

    def watched(self: Store, partition: int, name: str, fixed: Sequence[Argument], items: Any, landed: Any) -> None:
        if name == "create":
            calls.append(sum(len(item[-1]) for item in items))
        begin(self, partition, name, fixed, items, landed)

    monkeypatch.setattr(Store, "begin", watched)
    assert await bench.outbox.deliver() == 5
    assert len(calls) == 3
    assert max(calls) < 1 << 20
    assert sorted(await bench.other.lease("w") + await bench.other.lease("w")) == sorted(runs)


async def test_a_target_out_of_reach_does_not_hold_up_the_others(bench: Bench) -> None:
    there = await bench.send(target="1")
    await bench.read("SADD", "k_outboxes", "", "0")
    lost = bench.event()
    await bench.read(
        *("XADD", "k_outbox", "0", "*", "run", run_id(lost, "app/f", 0), "lane", "app/f"),
        *("version", "v1", "event", lost, "due", 0),
    )
    await bench.read("SET", "k_event", lost, 'L 1 2 x\n{"name":"n","data":{}}')
    outbox = Outbox(bench.partition, (Unreachable(bench.partition, 0), bench.other.runs))
    with pytest.raises(StoreUnavailable):
        await outbox.deliver()
    assert await bench.other.lease("w") == [there]
    assert await bench.read("XLEN", "k_outbox", "0") == 1
    await bench.outbox.deliver()
    assert len(await bench.lease("w")) == 1


async def test_a_row_whose_event_is_gone_is_dropped_and_those_behind_it_go_on(bench: Bench) -> None:
    await bench.send(target="1")
    [(_, fields)] = await bench.read("XRANGE", "k_outbox", "1", "-", "+")
    await bench.read("DEL", "k_event", fields[fields.index(b"event") + 1].decode())
    run = await bench.send(target="1")
    await bench.outbox.empty()
    assert await bench.other.lease("w") == [run]
    assert not await bench.exists("k_outboxes")


async def test_it_goes_on_delivering_after_a_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run, tries, done = await bench.send(target="1"), list[int](), asyncio.Event()
    deliver = Outbox.deliver

    async def at_first_in_vain(self: Outbox) -> int:
        tries.append(1)
        if len(tries) == 1:
            raise StoreUnavailable("redis://down", "connection refused")
        delivered = await deliver(self)
        done.set()
        return delivered

    monkeypatch.setattr(Outbox, "deliver", at_first_in_vain)
    monkeypatch.setattr("stepwell.platform.outbox.PERIOD", 0.001)
    keeper = asyncio.create_task(bench.outbox.run())
    await done.wait()
    keeper.cancel()
    assert await bench.other.lease("w") == [run]


async def test_whoever_fills_an_outbox_has_it_delivered_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    outboxes, emptied = Outboxes((bench.partition, bench.other.partition)), asyncio.Queue[int]()
    empty = Outbox.empty

    async def told(self: Outbox) -> None:
        try:
            await empty(self)
        finally:
            emptied.put_nowait(1)

    monkeypatch.setattr(Outbox, "empty", told)
    hurry = outboxes.hurry(0)
    first = await bench.send(target="1")
    hurry(None)
    hurry(None)
    await emptied.get()
    assert await bench.other.lease("w") == [first]

    async def fails(_: Outbox) -> int:
        raise StepwellError("down")

    monkeypatch.setattr(Outbox, "deliver", fails)
    hurry(None)  # what is not delivered stays for the scheduler
    await emptied.get()
