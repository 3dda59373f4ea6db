"""What each transition of a run costs this process and Redis, made by the engine one at a time and 64 in a call.

Nobody listens to what the scripts publish here, and nobody else uses the server. A clock that moves only when told to
lets timers come due; otherwise everything is as in a worker.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.cpu import Cpu
from bench.events import event
from bench.figure import BenchFailed, Figure
from bench.scale import Setting
from bench.stack import Redis, serving
from bench.target import app
from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.ticks import Ticks
from stepwell.platform.executor.session import Session, new_session_id
from stepwell.platform.incoming import parse_events
from stepwell.platform.ingest import Ingest
from stepwell.platform.records import Lease
from stepwell.platform.registry import Registry

SIZES = (1, 64)
FUNCTION = "bench/three"
DAY = 86_400_000
OUTPUT = b'{"receipt":"r-10023","total":38.9}'


@dataclass
class Costs:
    """Measures one transition after the other."""

    redis: Redis
    items: int
    spent: dict[str, Cpu] = field(default_factory=dict[str, Cpu])

    @contextmanager
    def of(self, name: str) -> Generator[None]:
        """What happens in the block, for every item once."""
        before = self.redis.cpu
        yield
        self.spent[name] = (self.redis.cpu - before).per(self.items)


class Lives:
    """Takes runs through their lives, `size` at a time.

    Args:
        redis: where.
        partition: of it.
        clock: of the partition.
        ingest: takes the events.
        count: runs in all.
        size: runs in a call.
    """

    def __init__(
        self, redis: Redis, partition: Partition, clock: ManualClock, ingest: Ingest, count: int, size: int
    ) -> None:
        settings = redis.settings
        expiry = int(settings.session_expiry * 1000)
        self._partition = partition
        self._clock = clock
        self._ingest = ingest
        self._count = count
        self._size = size
        self._costs = Costs(redis, count)
        self._owner = Owner(partition, settings.max_steps, settings.max_run_bytes)
        self._leases = Leases(partition, expiry, settings.crash_limit)
        self._ticks = Ticks(partition, expiry, settings.crash_limit, int(settings.cancel_patience * 1000))
        self._session = Session(new_session_id(clock.now()))
        self._held: list[Lease] = []

    async def lived(self) -> dict[str, Cpu]:
        """µs of each transition; first what a command costs that does nothing."""
        with self._costs.of("floor: PING"):
            for _ in range(0, self._count, self._size):
                await asyncio.gather(*(self._partition.read("PING") for _ in range(self._size)))
        with self._costs.of("ingest + create"):
            await self._send()
        with self._costs.of("lease"):
            await self._lease()
        await self._each("checkpoint", self._checkpoint)
        due = self._clock.now() + DAY
        order = {lease.run: index for index, lease in enumerate(self._held)}
        # One more ms for each call's worth of runs: so many timers come due at a time.
        await self._each("arm", lambda lease: self._arm(lease, due + order[lease.run] // self._size))
        await self._each("suspend", lambda lease: self._owner.suspend(lease.run, lease.token, 3, 1))
        self._clock.advance(DAY - 1)
        await self._ticks.tick()
        with self._costs.of("tick, each timer"):
            await self._tick()
        with self._costs.of("lease again, with steps"):
            await self._lease()
        await self._each("finish", lambda lease: self._owner.finish(lease.run, lease.token, 1, "completed", OUTPUT))
        return self._costs.spent

    async def _each(self, name: str, write: Callable[[Lease], Awaitable[object]]) -> None:
        with self._costs.of(name):
            for at in range(0, self._count, self._size):
                await asyncio.gather(*map(write, self._held[at : at + self._size]))

    async def _send(self) -> None:
        for at in range(0, self._count, self._size):
            sent = [event("bench.three").encode(f"{self._size}-{at + index}") for index in range(self._size)]
            await self._ingest.accept(parse_events(b"[" + b",".join(sent) + b"]", 1 << 20))

    async def _lease(self) -> None:
        self._held = []
        while len(self._held) < self._count:
            leased = await self._leases.lease(self._session.id, self._session.next_call(), self._size, [FUNCTION])
            if not leased.leases:
                raise BenchFailed(f"{len(self._held)} of {self._count} runs could be leased")
            self._held += leased.leases

    async def _checkpoint(self, lease: Lease) -> None:
        await self._owner.checkpoint(
            lease.run, lease.token, 1, "charge", "run", ok=True, attempts=1, took=0, payload=OUTPUT
        )

    async def _arm(self, lease: Lease, due: int) -> None:
        await self._owner.arm(lease.run, lease.token, 2, "cool-off", "sleep", delay=None, until=due, payload=b"null")

    async def _tick(self) -> None:
        fired = 0
        while fired < self._count:
            self._clock.advance(1)
            ticked = await self._ticks.tick()
            if not ticked.fired:
                raise BenchFailed(f"{fired} of {self._count} timers came due")
            fired += ticked.fired


async def measure(setting: Setting) -> list[Figure]:
    """Each transition at both sizes, on a server of their own."""
    spent = {size: await lives(setting, size) for size in SIZES}
    return [figure(name, size, spent[size][name]) for name in spent[SIZES[0]] for size in SIZES]


async def lives(setting: Setting, size: int) -> dict[str, Cpu]:
    """Runs live twice; the second time is measured."""
    async with serving(setting) as redis:
        clock = ManualClock()
        partitions = partitions_of(redis.store, clock)
        registry = Registry(partitions)
        await registry.register(app.manifest)
        ingest = Ingest(partitions, registry, clock)
        await Lives(redis, partitions[0], clock, ingest, 64, size).lived()
        # Dedupe remembers ids for a day; by now two have passed.
        clock.advance(DAY)
        return await Lives(redis, partitions[0], clock, ingest, setting.scale.transitions, size).lived()


def figure(name: str, size: int, cpu: Cpu) -> Figure:
    """One line: the value is what Redis uses, as that is what there is one of."""
    return Figure(f"{name}, {size} in a call", "µs of Redis", (cpu.redis,), None, cpu, "transition")
