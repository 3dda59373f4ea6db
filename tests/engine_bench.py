"""The engine on a bench: two partitions in a time that moves when told to, and words for what tests do to them."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.engine.ticks import Ticks
from stepwell.platform.ids import digest_of, encode_id, run_id
from stepwell.platform.ingest import BUCKET, WINDOW
from stepwell.platform.outbox import Outbox
from stepwell.platform.records import Lease, RunRecord, StepRow
from stepwell.platform.settings import Settings
from stepwell.platform.store.connection import Limits
from stepwell.platform.store.keys import PERMANENT
from stepwell.platform.store.routes import Routes
from stepwell.platform.store.scripts import LUA, Scripts
from stepwell.platform.store.store import Store
from stepwell.platform.store.topology import Topology

EXPIRY = 15_000
CRASH_LIMIT = 2
PATIENCE = 30_000
ROUNDS = 200
"""Far more than anything here needs until there is no more to do."""
BODY = b'{"name":"n","data":{}}'


@asynccontextmanager
async def store_over(topology: Topology, folder: Path = LUA, partitions: int = 2) -> AsyncGenerator[Store]:
    """A store with the scripts of a folder."""
    routes = Routes(topology, Limits.of(Settings()))
    try:
        store = Store(routes, Scripts.load(topology.flavour, folder), partitions)
        await store.reach()
        yield store
    finally:
        await routes.aclose()


async def tick_until_quiet(ticks: Ticks) -> None:
    """Ticks as long as there is more to do at once, which has an end."""
    for _ in range(ROUNDS):
        if (await ticks.tick()).wait > 0:
            return
    raise AssertionError(f"after {ROUNDS} ticks there is still more to do at once")


async def deliver_all(outboxes: Sequence[Outbox]) -> None:
    """Delivers until nothing is left to, which has an end."""
    for _ in range(ROUNDS):
        if not sum([await outbox.deliver() for outbox in outboxes]):
            return
    raise AssertionError(f"after {ROUNDS} rounds of all outboxes there is still something to deliver")


class Place:
    """One partition. Workers are called by their session, and lease under calls that count up."""

    def __init__(self, partition: Partition, clock: ManualClock) -> None:
        self.partition = partition
        self.clock = clock
        self.owner = Owner(partition, max_steps=5, max_bytes=1 << 17)
        self.leases = Leases(partition, EXPIRY, CRASH_LIMIT)
        self.runs = Runs(partition, PATIENCE)
        self.ticks = Ticks(partition, EXPIRY, CRASH_LIMIT, PATIENCE)
        self.ingest = partition.group("ingest", WINDOW, BUCKET)
        self.seq = 0
        self._made = 0
        self._version = 0

    # Events and limits.

    async def limit(self, function: str, *limits: int) -> None:
        """Deploys: from now on `function` has these limits and no other has any."""
        self._version += 1
        names = [f"{function}#{index}" for index in range(len(limits))]
        items: list[tuple[str, str]] = [(function, " ".join(names))] if names else []
        items += [(f"#{name}", str(limit)) for name, limit in zip(names, limits, strict=True)]
        await self.partition.script("adopt", self._version, 0, items=items)

    def event(self) -> str:
        """The id of an event to come."""
        self._made += 1
        return encode_id(self.clock.now(), self.partition.index, self._made)

    async def offer(self, event: str, lane: str, *, sender: str = "", due: int = 0, target: str = "-") -> Any:
        """Sends an event that starts one run; the answer is the script's."""
        home = self.partition.index if target == "-" else int(target)
        run = run_id(event, lane.split("|")[0], home)
        digest = digest_of(sender) if sender else ""
        return await self.ingest.add((self._version, event, digest, due, "", f"{run} {lane} v1 {target} - -", BODY))

    async def send(self, lane: str = "app/f", *, sender: str = "", due: int = 0, target: str = "-") -> str:
        """The same a ms later, so that runs have an order; gives the id of the run."""
        self.clock.advance(1)
        event = self.event()
        answer = await self.offer(event, lane, sender=sender, due=due, target=target)
        home = self.partition.index if target == "-" else int(target)
        assert answer == b"OK", answer
        return run_id(event, lane.split("|")[0], home)

    # Workers.

    async def call(self, worker: str, call: str, *functions: str, count: int = 64) -> list[Lease]:
        """Leases under a call of this name."""
        leased = await self.leases.lease(worker, f"{worker}:{call}", count, functions or ("app/f",))
        return list(leased.leases)

    async def lease(self, worker: str, *functions: str, count: int = 64) -> list[str]:
        """Leases; gives the ids of the runs."""
        self.seq += 1
        return [lease.run for lease in await self.call(worker, str(self.seq), *functions, count=count)]

    async def one(self, worker: str = "w", *functions: str) -> Lease:
        """Leases one run."""
        self.seq += 1
        [lease] = await self.call(worker, str(self.seq), *functions, count=1)
        return lease

    async def started(self, lane: str = "app/f", worker: str = "w") -> Lease:
        """Sends an event and leases its run."""
        await self.send(lane)
        return await self.one(worker, lane.split("|")[0])

    async def record(self, lease: Lease, key: str, payload: bytes = b"1") -> int:
        """Records an outcome; gives its turn."""
        self.seq += 1
        return await self.owner.checkpoint(
            lease.run, lease.token, self.seq, key, "run", ok=True, attempts=1, took=0, payload=payload
        )

    async def sleep(self, lease: Lease, key: str, delay: int) -> StepRow:
        """Arms a wait."""
        self.seq += 1
        return await self.owner.arm(
            lease.run, lease.token, self.seq, key, "sleep", delay=delay, until=None, payload=b""
        )

    async def retry(self, lease: Lease, key: str, attempts: int, delay: int) -> StepRow:
        """Records a failed attempt of a step."""
        self.seq += 1
        return await self.owner.retry_step(
            lease.run, lease.token, self.seq, key, "run", attempts=attempts, delay=delay, took=0, error=b"{}"
        )

    async def retry_body(self, lease: Lease, delay: int) -> None:
        """Records a failed attempt of the function body."""
        self.seq += 1
        await self.owner.retry_body(lease.run, lease.token, self.seq, delay=delay, error=b"{}")

    async def suspend(self, lease: Lease, seen: int = 0, within: int = 0) -> None:
        """Lets go of a run that waits."""
        self.seq += 1
        await self.owner.suspend(lease.run, lease.token, self.seq, seen, within)

    async def release(self, lease: Lease) -> None:
        """Gives a run back."""
        self.seq += 1
        await self.owner.release(lease.run, lease.token, self.seq)

    async def finish(self, lease: Lease, status: str = "completed") -> None:
        """Ends a run."""
        self.seq += 1
        await self.owner.finish(lease.run, lease.token, self.seq, status, b'"end"')

    async def news(self, worker: str, heard: Sequence[tuple[str, str]] = ()) -> set[tuple[str, str]]:
        """What a beat brings back."""
        return set((await self.leases.beat(worker, heard)).news)

    async def crash(self, worker: str, *executing: str) -> None:
        """The worker dies; its parent takes back what it held, and tells which of it was executing."""
        await self.leases.reap(worker, executing, "idle")

    # Time.

    async def pass_time(self, ms: int, step: int = 1_000) -> None:
        """Time passes with a tick every `step` ms."""
        while ms > 0:
            self.clock.advance(min(ms, step))
            ms -= step
            await self.ticks.tick()

    # What has become of it.

    async def header(self, run: str) -> RunRecord:
        """A run's header."""
        return RunRecord.parse(run, await self._hash("k_run", run))

    async def status(self, run: str) -> str:
        """A run's status."""
        return str((await self.header(run)).status)

    async def steps(self, run: str) -> dict[str, StepRow]:
        """A run's steps by key."""
        rows = [StepRow.parse(key, row) for key, row in (await self._hash("k_steps", run)).items()]
        return {row.key: row for row in rows}

    async def exists(self, name: str, rest: str = "") -> bool:
        """Whether there is a key."""
        return bool(await self.read("EXISTS", name, rest))

    async def read(self, command: str, name: str, rest: str = "", *more: str | int) -> Any:
        """A command about one key."""
        return await self.partition.read(command, self.partition.keys.name(name, rest), *more)

    async def _hash(self, name: str, rest: str) -> dict[bytes, bytes]:
        flat = await self.read("HGETALL", name, rest)
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def left(self) -> set[str]:
        """Keys that are left, apart from those that stay, and from counts, which go by themselves."""
        keys = self.partition.keys
        names = {key.decode() for key in await self.partition.read("KEYS", f"{{{keys.tag}}}*")}
        counts = {name for name in names if name.startswith(keys.name("k_counts"))}
        return names - counts - {keys.name(name) for name in PERMANENT}


class Bench(Place):
    """A partition `self`, and `other`, to which its outbox goes."""

    def __init__(self, store: Store) -> None:
        clock = ManualClock()
        here, there = partitions_of(store, clock)
        super().__init__(here, clock)
        self.other = Place(there, clock)
        self.outbox = Outbox(here, (self.runs, self.other.runs))

    async def clear(self) -> None:
        """Removes everything, on the servers of both partitions, and ticks once so that none is overdue."""
        for place in (self, self.other):
            await place.partition.read("FLUSHALL")
        for place in (self, self.other):
            await place.limit("none")
            await place.ticks.tick()
