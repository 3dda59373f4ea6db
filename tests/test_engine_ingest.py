"""Events on their way in: ids, homes, and what the time of the machine that takes them in has no say in."""

from collections.abc import AsyncGenerator

import pytest

from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.ingest import RELOADS, Ingest
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.store.memory import memory_store
from tests.test_registry import manifest

Partitions = tuple[Partition, ...]


@pytest.fixture
async def partitions() -> AsyncGenerator[Partitions]:
    """Four, in memory."""
    async with memory_store(partitions=4) as store:
        yield partitions_of(store, ManualClock())


def event(sender: str = "", ts: int = 0) -> IncomingEvent:
    return IncomingEvent("go", {}, sender, ts)


async def ready(partitions: Partitions, limits: tuple[int, ...] = ()) -> Registry:
    registry = Registry(partitions)
    await registry.register(manifest("a", limits=limits))
    return registry


async def test_events_with_one_id_live_in_one_place_and_are_one(partitions: Partitions) -> None:
    ingest = Ingest(partitions, await ready(partitions), partitions[0].clock)
    first = await ingest.accept([event(f"mine-{number}") for number in range(40)])
    again = await ingest.accept([event(f"mine-{number}") for number in range(40)])
    assert first == again
    assert len(set(first)) == 40
    assert {partition_of(found) for found in first} == {0, 1, 2, 3}


async def test_the_same_id_twice_in_one_request_is_one_event(partitions: Partitions) -> None:
    ingest = Ingest(partitions, await ready(partitions), partitions[0].clock)
    one, other, last = await ingest.accept([event("mine"), event("yours"), event("mine")])
    assert one == last != other


async def test_all_events_of_a_request_are_matched_anew_when_the_registry_has_changed(partitions: Partitions) -> None:
    stale = Registry(partitions)
    await ready(partitions)
    ids = await Ingest(partitions, stale, partitions[0].clock).accept([event() for _ in range(20)])
    runs = 0
    for partition in partitions:
        runs += int(await partition.read("ZCARD", partition.keys.name("k_live")))
    assert (len(set(ids)), runs) == (20, 20)


async def test_a_machine_whose_clock_is_ahead_does_not_start_a_run_early(partitions: Partitions) -> None:
    ahead = ManualClock(partitions[0].clock.now() + 60_000)
    ingest = Ingest(partitions[:1], await ready(partitions[:1]), ahead)
    await ingest.accept([event(ts=ahead.now() - 1)])
    lease = await partitions[0].script("lease", "w", "w:1", 15_000, 1, items=[("shop/a", "")])
    assert lease == [b"OK", 0]


async def test_a_function_with_a_limit_has_one_home_for_all_its_runs(partitions: Partitions) -> None:
    ingest = Ingest(partitions, await ready(partitions, limits=(1,)), partitions[0].clock)
    await ingest.accept([event() for _ in range(20)])
    homes = 0
    for partition in partitions:
        live = int(await partition.read("ZCARD", partition.keys.name("k_live")))
        waiting = int(await partition.read("SCARD", partition.keys.name("k_outboxes")))
        homes += live > 0 or waiting == 0
    assert homes == 1


async def test_what_the_last_try_has_taken_in_is_acknowledged(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = await ready(partitions)
    ingest, refresh, tries = Ingest(partitions, registry, partitions[0].clock), registry.refresh, list[int]()
    current = registry.snapshot

    async def late(_: Registry) -> None:
        tries.append(1)
        if len(tries) == RELOADS - 1:
            await refresh()

    monkeypatch.setattr(Registry, "refresh", late)
    registry.snapshot = Snapshot(current.version + 1, current.apps)
    ids = await ingest.accept([event(f"mine-{number}") for number in range(8)])
    assert len(set(ids)) == 8
    assert len(tries) == RELOADS - 1
