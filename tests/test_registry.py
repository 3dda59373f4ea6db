"""The registry: no event misses an acknowledged registration, whoever takes it in and wherever it lives."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

import pytest

from stepwell.functions.protocol import (
    CancelOnManifest,
    ConcurrencyManifest,
    FunctionManifest,
    Manifest,
    RetriesManifest,
    TriggerManifest,
)
from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.ids import home_of, new_id, partition_of
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.ingest import Ingest
from stepwell.platform.records import EventRecord
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.redis_servers import Server

Partitions = tuple[Partition, ...]


@pytest.fixture
async def partitions() -> AsyncGenerator[Partitions]:
    """Three, in memory."""
    async with memory_store(partitions=3) as store:
        yield partitions_of(store, ManualClock())


def manifest(
    *names: str, app: str = "shop", event: str = "go", limits: tuple[int, ...] = (), stopped: bool = False
) -> Manifest:
    stops = [CancelOnManifest(event="stop", if_="async.data.id == event.data.id")] if stopped else []
    functions = [
        FunctionManifest(
            id=name,
            cancel_on=stops,
            triggers=[TriggerManifest(event=event)],
            retries=RetriesManifest(times=1),
            concurrency=[ConcurrencyManifest(limit=limit) for limit in limits],
        )
        for name in names
    ]
    return Manifest(id=app, version="v1", functions=functions)


async def start(partitions: Partitions, registry: Registry, name: str = "go", sender: str = "") -> int:
    """How many runs an event starts."""
    ingest = Ingest(partitions, registry, partitions[0].clock)
    [event] = await ingest.accept([IncomingEvent(name, {}, sender, 0)])
    partition = partitions[partition_of(event)]
    return len(EventRecord.parse(event, await partition.read("GET", partition.keys.name("k_event", event))).runs)


async def start_everywhere(partitions: Partitions, registry: Registry) -> set[int]:
    """The same of events that live in each of the partitions."""
    found: set[int] = set()
    for home in range(len(partitions)):
        sender = next(name for name in names() if home_of(name, len(partitions)) == home)
        found.add(await start(partitions, registry, sender=sender))
    return found


def names() -> Iterator[str]:
    """Ids no event has had."""
    while True:
        yield new_id(0)


async def limits_at(partition: Partition) -> dict[bytes, bytes]:
    flat = await partition.read("HGETALL", partition.keys.name("k_limits"))
    return dict(zip(flat[::2], flat[1::2], strict=True))


async def test_every_process_matches_with_what_was_registered_last(partitions: Partitions) -> None:
    ours, theirs = Registry(partitions), Registry(partitions)
    assert await start(partitions, theirs) == 0
    assert await ours.register(manifest("a", "b"))
    assert await start_everywhere(partitions, theirs) == {2}
    await ours.register(manifest("a"))
    assert await start_everywhere(partitions, theirs) == {1}


async def test_registering_the_same_again_changes_nothing(partitions: Partitions) -> None:
    registry = Registry(partitions)
    assert await registry.register(manifest("a"))
    assert not await registry.register(manifest("a"))
    assert registry.snapshot.version == 1
    assert await registry.register(manifest("a", app="other"))
    assert set(registry.snapshot.functions) == {"shop/a", "other/a"}


async def test_every_partition_knows_the_limits_in_force(partitions: Partitions) -> None:
    registry = Registry(partitions)
    await registry.register(manifest("a", limits=(2, 3)))
    for partition in partitions:
        assert await limits_at(partition) == {b"shop/a": b"shop/a#0 shop/a#1", b"#shop/a#0": b"2", b"#shop/a#1": b"3"}
    await registry.register(manifest("a"))
    for partition in partitions:
        assert await limits_at(partition) == {}


@pytest.mark.parametrize("reached", [0, 1, 2])
async def test_a_registration_cut_short_is_made_good_by_the_next_event(partitions: Partitions, reached: int) -> None:
    """The process that registers dies after `reached` of three partitions were told."""
    registered, stale = Registry(partitions), Registry(partitions)
    await registered.register(manifest("a"))
    await stale.load()
    text = manifest("a", "b", "c").model_dump_json(exclude_defaults=True)
    await partitions[0].script("register", "shop", text, 1)
    for partition in partitions[:reached]:
        await partition.script("adopt", 2, 0, items=[])
    # Whoever has seen it makes every partition know it, and these send to look whoever has not.
    seen = Registry(partitions)
    await seen.load()
    assert await start_everywhere(partitions, seen) == {3}
    assert await start_everywhere(partitions, stale) == {3}


async def test_a_wait_is_known_everywhere_although_whoever_asked_first_died_before(partitions: Partitions) -> None:
    registered, sender = Registry(partitions), Registry(partitions)
    await registered.register(manifest("a"))
    await sender.load()
    await partitions[0].script("await", 0, 10, items=[(b'#await ["said",[]]',)])
    seen = Registry(partitions)
    await seen.load()
    assert await seen.await_events("said", (), indexed=False)
    ingest = Ingest(partitions, sender, partitions[0].clock)
    for _ in range(20):  # from all partitions
        await ingest.accept([IncomingEvent("said", {}, "", 0)])
    heard = [await partition.read("ZCARD", partition.keys.name("k_matches")) for partition in partitions]
    assert (sum(heard), min(heard) > 0) == (20, True)


async def test_a_late_copy_of_an_older_registry_changes_nothing(partitions: Partitions) -> None:
    registry = Registry(partitions)
    await registry.register(manifest("a", limits=(1,)))
    await registry.register(manifest("a", limits=(2,)))
    assert await partitions[1].script("adopt", 1, 0, items=[("#shop/a#0", "1")]) == 2
    assert (await limits_at(partitions[1]))[b"#shop/a#0"] == b"2"


async def test_those_who_refresh_at_once_share_one_refresh(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, spreads = Registry(partitions), list[int]()
    spread = Registry.spread

    async def counted(self: Registry) -> None:
        spreads.append(1)
        await spread(self)

    monkeypatch.setattr(Registry, "spread", counted)
    await asyncio.gather(*[registry.refresh() for _ in range(20)])
    assert len(spreads) == 1
    impatient = asyncio.create_task(registry.refresh())
    patient = asyncio.create_task(registry.refresh())
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    await registry.refresh()
    assert len(spreads) == 3


async def test_a_registry_that_never_settles_is_given_up_with_a_reason(
    partitions: Partitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry(partitions)
    await registry.register(manifest("a"))

    async def elsewhere(_: Registry) -> None:
        await partitions[0].script("adopt", 99, 0, items=[])

    monkeypatch.setattr(Registry, "refresh", elsewhere)
    for partition in partitions:
        await partition.script("adopt", 98, 0, items=[])
    with pytest.raises(StoreUnavailable, match="keeps changing"):
        await start(partitions, registry)


async def test_thousands_of_functions_are_registered_at_once(store: Store) -> None:
    [partition] = partitions_of(store, ManualClock())
    registry = Registry((partition,))
    names = [f"function-{number}" for number in range(3_000)]
    await registry.register(manifest(*names, limits=(1, 2)))
    assert len(await limits_at(partition)) == 9_000
    assert await start((partition,), registry, "other") == 0


async def test_a_worker_can_register_and_lease_while_memory_is_full(redis_server: Server) -> None:
    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        partitions = partitions_of(store, ManualClock())
        await Registry(partitions).register(manifest("a"))
        redis_server.ask("CONFIG SET", "maxmemory", 1)
        try:
            registry = Registry(partitions)
            assert await registry.register(manifest("a", "b", stopped=True))
            answer = await partitions[0].script("lease", "w", "w:1", 15_000, 1, items=[("shop/a", "")])
            assert answer[0] == b"OK"
            with pytest.raises(StoreFull):
                await start(partitions, registry)
        finally:
            redis_server.ask("CONFIG SET", "maxmemory", 0)
