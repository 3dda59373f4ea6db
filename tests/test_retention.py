"""Retention: what has ended goes by age, or sooner when memory is short; what is needed stays."""

from collections.abc import AsyncGenerator

import pytest

from stepwell.platform.engine.ticks import BATCH, Ticks
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.retention import DAY, RECENT, Retention
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.topology import topology_of
from tests.engine_bench import Bench, store_over
from tests.redis_servers import Server


@pytest.fixture
async def bench(redis_server: Server) -> AsyncGenerator[Bench]:
    """Two partitions on one Redis that says how much memory it has, and that it is all in use."""
    redis_server.ask("CONFIG SET", "maxmemory", 1 << 30)
    async with store_over(topology_of(redis_server.url)) as store:
        bench = Bench(store)
        await bench.clear()
        yield bench
    redis_server.ask("CONFIG SET", "maxmemory", 0)


ROOMY = Settings(retention_days=2)
SHORT = Settings(retention_days=2, retention_memory=1e-6)


def retention(bench: Bench, settings: Settings) -> Retention:
    partitions = (bench.partition, bench.other.partition)
    return Retention(partitions, [bench.ticks, bench.other.ticks], settings)


async def ended(bench: Bench, count: int = 1) -> list[str]:
    """Runs that are completed now."""
    for _ in range(count):
        await bench.finish(await bench.started())
    return [name.decode() for name in await bench.read("ZRANGE", "k_ended", "", 0, -1)]


async def test_runs_and_events_go_at_their_age_and_not_before(bench: Bench) -> None:
    await ended(bench, BATCH + 3)
    bench.clock.advance(2 * DAY - BATCH - 3)
    assert await retention(bench, ROOMY).trim() == 0
    bench.clock.advance(BATCH + 3)
    assert await retention(bench, ROOMY).trim() == BATCH + 3
    assert await bench.read("XLEN", "k_log") == 0
    assert await retention(bench, ROOMY).trim() == 0


async def test_what_has_not_ended_never_goes(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 400 * DAY)
    await bench.suspend(lease)
    bench.clock.advance(300 * DAY)
    assert await retention(bench, SHORT).trim() == 0
    await bench.pass_time(100 * DAY, step=100 * DAY)
    again = await bench.one()
    assert (again.run, again.event.id) == (lease.run, lease.event.id)


async def test_when_memory_is_short_the_oldest_go_first_and_the_last_minute_stays(bench: Bench) -> None:
    old = await ended(bench, BATCH + 1)
    bench.clock.advance(RECENT)
    new = set(await ended(bench)) - set(old)
    assert await retention(bench, ROOMY).trim() == 0
    assert await retention(bench, SHORT).trim() == BATCH + 1
    left = await bench.read("ZRANGE", "k_ended", "", 0, -1)
    assert {name.decode() for name in left} == new
    assert await bench.read("XLEN", "k_log") == 1


async def test_a_call_repeated_after_its_run_has_ended_starts_nothing_twice_even_then(bench: Bench) -> None:
    event = bench.event()
    assert await bench.offer(event, "app/f") == b"OK"
    await bench.finish(await bench.one())
    await retention(bench, SHORT).trim()
    assert await bench.offer(event, "app/f") == b"OK"
    assert await bench.lease("w") == []


async def test_it_removes_no_more_than_it_has_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await ended(bench, 2 * BATCH)
    bench.clock.advance(RECENT)
    keeper, looks = retention(bench, ROOMY), list[int]()

    async def short_once(_: Retention, index: int) -> bool:
        looks.append(index)
        return looks.count(index) == 1

    monkeypatch.setattr(Retention, "_short_of_memory", short_once)
    assert await keeper.trim() == BATCH


async def test_a_partition_out_of_reach_does_not_keep_the_others_from_being_trimmed(bench: Bench) -> None:
    class Down(Ticks):
        async def trim_runs(self, age: int) -> int:
            raise StoreUnavailable("redis://down", "connection refused")

    await ended(bench)
    bench.clock.advance(2 * DAY)
    partitions = (bench.other.partition, bench.partition)
    keeper = Retention(partitions, [Down(bench.other.partition, 1, 1, 1), bench.ticks], ROOMY)
    with pytest.raises(StoreUnavailable):
        await keeper.trim()
    assert await bench.read("ZCARD", "k_ended") == 0


async def test_a_server_that_does_not_say_how_much_memory_it_has_is_trimmed_by_age() -> None:
    async with store_over(Remembered()) as store:
        bench = Bench(store)
        await bench.clear()
        await ended(bench)
        bench.clock.advance(DAY)
        assert await retention(bench, SHORT).trim() == 0
        bench.clock.advance(DAY)
        assert await retention(bench, SHORT).trim() == 1


async def test_what_others_have_yet_to_be_told_of_stays_however_old(bench: Bench) -> None:
    runs = await ended(bench, 3)
    await bench.read("ZADD", "k_ends", "", 1, runs[0])
    heard = bench.event()
    assert await bench.ingest.add((1, heard, "", 0, "word", "", b'{"name":"n","data":{}}')) == b"OK"
    bench.clock.advance(9 * DAY)
    assert await retention(bench, SHORT).trim() == 2
    assert [await bench.exists("k_run", run) for run in runs] == [True, False, False]
    assert await bench.exists("k_event", heard)
    await bench.partition.script("settle", items=[("ends", runs[0]), ("matches", f"{heard} word")])
    assert await retention(bench, SHORT).trim() == 1
    assert not await bench.exists("k_event", heard)
