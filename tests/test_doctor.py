"""The doctor finds what is wrong, and nothing where all is well."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from stepwell.functions.protocol import (
    ConcurrencyManifest,
    FunctionManifest,
    Manifest,
    RetriesManifest,
    TriggerManifest,
)
from stepwell.platform.clock import ManualClock
from stepwell.platform.codec import encode
from stepwell.platform.doctor.examination import examine
from stepwell.platform.doctor.finding import Finding
from stepwell.platform.doctor.ownership import examine_keys
from stepwell.platform.doctor.servers import memory, persistence, policy, skew
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Owner
from stepwell.platform.incoming import parse_events
from stepwell.platform.installation import Installation
from stepwell.platform.records import Lease
from stepwell.platform.settings import Settings
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.store.store import Store

SETTINGS = Settings()
CLOCK = ManualClock()


def function(name: str, *limits: ConcurrencyManifest) -> FunctionManifest:
    return FunctionManifest(
        id=name, triggers=[TriggerManifest(event=name)], retries=RetriesManifest(times=1), concurrency=list(limits)
    )


class Shop:
    """An installation with runs in every state, one slot for each customer."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.installation = Installation.over(store, SETTINGS, CLOCK)
        [self.partition] = self.installation.partitions
        self.leases = Leases(self.partition, 15_000, 3)
        self.owner = Owner(self.partition, 100, 1 << 20)

    async def open(self) -> "Shop":
        limits = ConcurrencyManifest(limit=1, key="event.data.customer"), ConcurrencyManifest(limit=2)
        functions = [function("free"), function("single", *limits)]
        await self.installation.registry.register(Manifest(id="shop", version="1", functions=functions))
        return self

    async def send(self, name: str, customer: str = "ann", **more: int) -> str:
        body = encode({"name": name, "data": {"customer": customer}, **more})
        [event] = await self.installation.ingest.accept(parse_events(body, 10_000))
        found = await self.installation.history.event(event)
        assert found is not None
        return found.runs[0]

    async def lease(self, name: str, call: str, count: int = 1) -> Sequence[Lease]:
        return (await self.leases.lease("session", f"session:{call}", count, [f"shop/{name}"])).leases

    async def populate(self) -> dict[str, str]:
        """One run of each kind; kind -> id."""
        runs = {"running": await self.send("single")}
        await self.lease("single", "1")
        runs["parked"] = await self.send("single")
        await self.lease("single", "2")
        runs["sleeping"] = await self.send("free")
        [lease] = await self.lease("free", "3")
        await self.owner.arm(lease.run, lease.token, 1, "nap", "sleep", delay=60_000, until=None, payload=b"")
        await self.owner.suspend(lease.run, lease.token, 2, 0, 0)
        runs["finished"] = await self.send("free")
        [lease] = await self.lease("free", "4")
        await self.owner.finish(lease.run, lease.token, 1, "completed", b"1")
        runs["queued"] = await self.send("free")
        runs["delayed"] = await self.send("free", ts=CLOCK.now() + 60_000)
        return runs

    async def call(self, *command: str | int) -> Any:
        return await self.store.call(0, *command)

    def key(self, name: str, rest: str = "") -> str:
        return self.partition.keys.name(name, rest)

    async def findings(self, *, deep: bool = False) -> list[Finding]:
        found = await examine(self.store, SETTINGS, CLOCK, deep=deep)
        return [finding for finding in found if finding.level == "wrong"]


@pytest.fixture(params=["redis", "valkey"])
async def shop(request: pytest.FixtureRequest) -> AsyncGenerator[Shop]:
    server = request.getfixturevalue(f"{request.param}_server")
    async with Store.open(Settings(redis_url=server.url)) as store:
        yield await Shop(store).open()


async def test_where_all_is_well_nothing_is_found(shop: Shop) -> None:
    runs = await shop.populate()
    assert await shop.findings(deep=True) == []
    found = await examine(shop.store, SETTINGS, CLOCK)
    assert f"{len(runs) - 1} unfinished runs examined, each in its place" in found[-1].text


async def test_a_rerun_is_in_its_place_and_what_is_left_of_one_that_was_not_made_goes_by_itself(shop: Shop) -> None:
    sleeping = (await shop.populate())["sleeping"]
    again = shop.installation.steering.rerun
    await again(sleeping, Order(from_step="nap"))
    await again(sleeping, Order(input={"customer": "bob"}, from_step="nap", output=Given(None)))
    assert await shop.findings(deep=True) == []
    await shop.partition.script("copy_steps", "unmade", 60_000, items=[("a", b"done run 1 1 1 1 0\n1")])
    assert await shop.findings(deep=True) == []
    await shop.call("PERSIST", shop.key("k_steps", "unmade"))
    [found] = await shop.findings(deep=True)
    assert "its run is neither live nor ended" in found.text


Break = Callable[[Shop, str], tuple[str | int, ...]]

BREAKS: list[tuple[str, str, Break]] = [
    ("queued", "neither in its lane nor held", lambda s, run: ("ZREM", s.key("k_queue", "shop/free"), run)),
    ("queued", "can be leased from by nobody", lambda s, run: ("DEL", s.key("k_lanes", "shop/free"))),
    ("queued", "both in its lane and held", lambda s, run: ("SADD", s.key("k_held", "-"), run)),
    ("queued", "nothing is kept of it", lambda s, run: ("DEL", s.key("k_run", run))),
    ("queued", "without running under it", lambda s, run: ("ZADD", s.key("k_slots", "shop/single#1|"), 1, run)),
    ("delayed", "no timer or event", lambda s, run: ("ZREM", s.key("k_timers"), f"{run}|")),
    ("sleeping", "no timer or event", lambda s, run: ("ZREM", s.key("k_timers"), f"{run}|nap")),
    ("running", "neither in its lane nor held", lambda s, run: ("SREM", s.key("k_held", "session"), run)),
    ("running", "its slot of shop/single#1| is not", lambda s, run: ("DEL", s.key("k_slots", "shop/single#1|"))),
    ("parked", "can be leased from by nobody", lambda s, run: ("DEL", s.key("k_parked", "shop/single#0|ann"))),
    ("finished", "it is completed, but listed as live", lambda s, run: ("ZADD", s.key("k_live"), 0, run)),
]


@pytest.mark.parametrize(("who", "what", "damage"), BREAKS)
async def test_what_is_broken_is_found_and_named(shop: Shop, who: str, what: str, damage: Break) -> None:
    runs = await shop.populate()
    await shop.call(*damage(shop, runs[who]))
    found = await shop.findings()
    assert [finding for finding in found if runs[who] in finding.text and what in finding.text], found
    assert all(finding.mend for finding in found)


async def test_a_lane_that_is_forgotten_behind_a_free_slot_is_found(shop: Shop) -> None:
    await shop.populate()
    await shop.call("DEL", shop.key("k_slots", "shop/single#0|ann"))
    texts = [finding.text for finding in await shop.findings()]
    assert "scope shop/single#0|ann: 1 lanes are parked, though a slot is free (0 are taken)" in texts


@pytest.mark.parametrize(
    ("name", "rest", "what"),
    [
        ("k_steps", "01M7Y87JDZ00A3G3JMFMD266KQ", "its run is neither live nor ended"),
        ("k_held", "nobody", "its session is not known"),
        ("k_runs_of", "shop/gone", "shop/gone is not listed"),
        ("k_dedupe", "1:2", "it never expires"),
        ("k_card", "nobody", "it never expires"),
        ("k_live", "x", "nothing of Stepwell is called like this"),
    ],
)
async def test_keys_without_an_owner_are_found_when_all_are_looked_at(
    shop: Shop, name: str, rest: str, what: str
) -> None:
    key = shop.key(name, rest)
    await shop.call("SET", key, "1")
    assert await shop.findings() == []
    assert [finding.text for finding in await shop.findings(deep=True)] == [f"key {key}: {what}"]


class Removing:
    """A store from which retention removes everything whenever it has told which keys there are."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def call(self, index: int, *command: str | int) -> Any:
        reply = await self.store.call(index, *command)
        if command[0] == "SCAN":
            await self.store.call(index, "FLUSHDB")
        return reply


async def test_keys_that_retention_removes_meanwhile_are_no_findings(shop: Shop) -> None:
    runs = await shop.populate()
    removing = cast("Store", Removing(shop.store))
    assert await examine_keys(replace(shop.partition, store=removing), SETTINGS, CLOCK) == []
    assert await shop.call("EXISTS", shop.key("k_run", runs["finished"])) == 0


def test_settings_that_endanger_what_was_promised_are_found() -> None:
    full = {"used_memory": str(95 << 20), "maxmemory": str(100 << 20)}
    assert memory(full, SETTINGS).level == "wrong"
    assert memory(full | {"used_memory": str(60 << 20)}, SETTINGS).level == "warning"
    assert memory(full | {"used_memory": "1"}, SETTINGS).level == "fine"
    assert memory({"used_memory": "1", "maxmemory": "0"}, SETTINGS).mend.startswith("Set `maxmemory`")
    assert persistence({"aof_enabled": "0"}).mend.startswith("Set `appendonly yes`")
    assert persistence({"aof_enabled": "1", "aof_last_write_status": "err"}).level == "wrong"
    assert persistence({"aof_enabled": "1", "aof_last_write_status": "ok"}).level == "fine"
    assert policy({}).level == "warning"


@pytest.mark.parametrize(("theirs", "said"), [(10_000, ""), (13_000, "3.0 s behind"), (7_000, "3.0 s ahead of")])
def test_clocks_that_differ_are_found(theirs: int, said: str) -> None:
    found = skew("redis", [str(theirs // 1000).encode(), b"0"], 10_000, 10_000)
    assert found.level == ("warning" if said else "fine")
    assert said in found.text
