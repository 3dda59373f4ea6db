"""A whole platform in one process, in a time that only moves when told to: for stories."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from stepwell.functions import App
from stepwell.platform.clock import ManualClock
from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.runs import Cancelled, Runs
from stepwell.platform.executor.board import Board
from stepwell.platform.executor.handlers import Handlers
from stepwell.platform.executor.inprocess import InProcess
from stepwell.platform.executor.session import Session, new_session_id
from stepwell.platform.executor.worker import Worker
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import parse_events
from stepwell.platform.ingest import Ingest
from stepwell.platform.outbox import Outbox
from stepwell.platform.records import EventRecord, RunRecord, Status, StepRow
from stepwell.platform.registry import Registry
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.settings import Settings
from stepwell.platform.steering.steering import Steering
from stepwell.platform.store.keys import PERMANENT
from stepwell.platform.store.store import Store
from stepwell.platform.waits.waits import Waits

FORGOTTEN = (
    "k_dedupe",
    "k_heard",
    "k_rate",
    "k_throttle",
    "k_gathering",
    "k_decided",
    "k_counts",
    "k_asked",
    "k_card",
    "k_signal",
)
"""Keys that their TTL removes."""
PATIENCE = 20.0
"""Seconds after which a test gives up waiting."""


class Harness:
    """One platform. `worker` is None between two lives of it."""

    def __init__(self, store: Store, apps: list[App], settings: Settings) -> None:
        self.clock = ManualClock()
        self.settings = settings
        self.apps = apps
        self.partitions = partitions_of(store, self.clock)
        self.registry = Registry(self.partitions)
        self.ingest = Ingest(self.partitions, self.registry, self.clock)
        self.waits = Waits.over(self.partitions, self.registry, self.ingest, settings, self.clock)
        self.scheduler = Scheduler(self.partitions, self.clock, settings, self.waits.errands, self.registry)
        runs = [Runs(partition, int(settings.cancel_patience * 1000)) for partition in self.partitions]
        self.steering = Steering(self.partitions, runs, self.registry, settings, self.clock)
        self.worker: Worker | None = None
        self._working: asyncio.Task[None] | None = None

    async def register_app(self, app: App) -> None:
        """Has the functions of an app known."""
        await self.registry.register(app.manifest)

    async def close(self) -> None:
        """At the end."""
        await self.stop_worker()

    # Workers.

    def new_session(self) -> Session:
        """For a worker."""
        return Session(new_session_id(self.clock.now()))

    def handlers(self, concurrency: int, *, suspects: bool) -> Handlers:
        """Execute runs."""
        return InProcess(self.apps, self.settings, concurrency=concurrency, suspects=suspects)

    async def start_worker(
        self, *, concurrency: int = 16, suspects: bool = False, board: Board | None = None
    ) -> Worker:
        """Starts a worker in this process, in a session of its own."""
        session = self.new_session()
        self.worker = Worker(
            self.partitions,
            self.handlers(concurrency, suspects=suspects),
            self.ingest,
            self.waits,
            self.clock,
            self.settings,
            session,
            board=board,
        )
        self._working = asyncio.create_task(self.worker.run())
        return self.worker

    async def stop_worker(self, *, drain: bool = True) -> None:
        """Ends the worker: drained and its session closed, or cut off as by a crash, its session left to expire."""
        worker, self.worker = self.worker, None
        if worker is None or self._working is None:
            return
        await (worker.drain(5) if drain else worker.cut_off())
        self._working.cancel()
        with suppress(asyncio.CancelledError):
            await self._working
        if drain:
            await self.reap(worker.session.id)

    async def crash_worker(self) -> None:
        """Cuts the worker off, and takes its runs back as its parent does when it sees the child dead."""
        session = self.worker.session.id if self.worker else ""
        await self.stop_worker(drain=False)
        await self.reap(session, executing=True)

    async def reap(self, session: str, *, executing: bool = False) -> None:
        """Takes back what a session held."""
        for partition in self.partitions:
            leases = Leases(partition, int(self.settings.session_expiry * 1000), self.settings.crash_limit)
            await leases.reap(session, (), "executing" if executing else "idle")

    # Events and time.

    async def send(self, name: str, data: Mapping[str, Any] | None = None, **more: Any) -> list[str]:
        """Sends an event; gives the ids of the runs it started."""
        return list((await self._sent(name, data, **more)).runs)

    async def accepted(self, name: str, data: Mapping[str, Any] | None = None, **more: Any) -> EventRecord:
        """Sends an event; gives it as it is stored, once every partition has heard of it."""
        event = await self._sent(name, data, **more)
        await self.deliver()
        return await self.event(event.id)

    async def _sent(self, name: str, data: Mapping[str, Any] | None = None, **more: Any) -> EventRecord:
        [event] = await self.ingest.accept(parse_events(encode({"name": name, "data": data or {}, **more}), 1 << 20))
        return await self.event(event)

    async def deliver(self) -> None:
        """Has the runs of one partition that are at home in another get there."""
        targets = [Runs(target, 0) for target in self.partitions]
        for partition in self.partitions:
            await Outbox(partition, targets).empty()

    async def start(self, name: str, data: Mapping[str, Any] | None = None, **more: Any) -> str:
        """Sends an event that starts one run; gives its id."""
        [run] = await self.send(name, data, **more)
        return run

    async def advance(self, ms: int) -> None:
        """Moves the time forward at once and fires what is due; nobody is declared dead right after such a gap."""
        self.clock.advance(ms)
        await self.scheduler.tick()

    async def live_on(self, seconds: int) -> None:
        """Lets time pass second by second, as a running scheduler sees it."""
        for _ in range(seconds):
            await self.advance(1_000)

    async def cancel(self, run: str) -> Cancelled:
        """Cancels a run."""
        return await self.runs_at(run).cancel(run)

    def runs_at(self, run: str) -> Runs:
        """The runs of the partition that a run lives in."""
        return Runs(self.partition_of(run), int(self.settings.cancel_patience * 1000))

    def partition_of(self, run: str) -> Partition:
        """Where a run lives."""
        return self.partitions[partition_of(run)]

    # What has become of it.

    async def event(self, event: str) -> EventRecord:
        """An event as it is stored."""
        partition = self.partitions[partition_of(event)]
        return EventRecord.parse(event, await partition.read("GET", partition.keys.name("k_event", event)))

    async def event_of(self, run: str) -> EventRecord:
        """The event of a run, as the run's partition keeps it."""
        partition, event = self.home_of(run), (await self.run(run)).event
        return EventRecord.parse(event, await partition.read("GET", partition.keys.name("k_event", event)))

    def home_of(self, run: str) -> Partition:
        """The partition of a run."""
        return self.partitions[partition_of(run)]

    async def header(self, run: str) -> dict[bytes, bytes]:
        """A run's whole hash."""
        return await self._hash(run, "k_run")

    async def run(self, run: str) -> RunRecord:
        """A run's header; waits for it while it is on its way from the partition of its event."""
        header: dict[bytes, bytes] = {}

        async def there() -> bool:
            header.update(await self._hash(run, "k_run"))
            return bool(header)

        await self.eventually(there)
        return RunRecord.parse(run, header)

    async def steps(self, run: str) -> dict[str, StepRow]:
        """A run's steps by key."""
        rows = [StepRow.parse(key, row) for key, row in (await self._hash(run, "k_steps")).items()]
        return {row.key: row for row in sorted(rows, key=lambda row: row.turn)}

    async def output(self, run: str) -> Any:
        """The output of a run that completes; waits for it."""
        header = await self.until(run, Status.COMPLETED)
        return decode(header.output) if header.output else None

    async def error(self, run: str) -> dict[str, Any]:
        """The error of a run that fails; waits for it."""
        header = await self.until(run, Status.FAILED)
        return dict(decode(header.error))

    async def until(self, run: str, *statuses: Status) -> RunRecord:
        """Waits until a run is in one of some states. Fails when it ends in another."""
        found: list[RunRecord] = []

        async def there() -> bool:
            found[:] = [await self.run(run)]
            return found[0].status in statuses or found[0].status.ended

        await self.eventually(there)
        assert found[0].status in statuses, f"the run is {found[0].status}: {found[0].error!r}"
        return found[0]

    async def eventually_idle(self) -> None:
        """Gives the worker time to lease and do what it can."""
        await asyncio.sleep(0.05)

    async def eventually(self, there: Callable[[], Any]) -> None:
        """Waits, for a bounded time, until `there` is true."""
        async with asyncio.timeout(PATIENCE):
            while not await there():  # noqa: ASYNC110 - what is waited for happens in Redis
                await asyncio.sleep(0.002)

    async def _hash(self, run: str, name: str) -> dict[bytes, bytes]:
        partition = self.partitions[partition_of(run)]
        flat = await partition.read("HGETALL", partition.keys.name(name, run))
        return dict(zip(flat[::2], flat[1::2], strict=True))

    async def keys_without_owner(self) -> list[str]:
        """Keys that are left although every run has ended and been removed, and every session has been closed."""
        found: list[str] = []
        for partition in self.partitions:
            permanent = {partition.keys.name(name) for name in PERMANENT}
            forgotten = tuple(partition.keys.name(name) for name in FORGOTTEN)
            names = await partition.read("KEYS", f"{partition.keys.name('k_meta')[:-5]}*")
            found += [key for key in map(bytes.decode, names) if key not in permanent and not key.startswith(forgotten)]
        return found

    async def forget_everything(self) -> None:
        """Lets retention remove all that has ended, when everybody was told of it."""
        await self.waits.errands.empty()
        self.clock.advance(int(self.settings.retention_days * 86_400_000) + 1)
        await self.scheduler.trim()


KIND: list[type[Harness]] = [Harness]
"""How `harness` executes functions; the one element may be replaced by a fixture."""


@asynccontextmanager
async def harness(
    store: Store, *apps: App, settings: Settings | None = None, worker: bool = True
) -> AsyncGenerator[Harness]:
    """A platform over a store; at the end, what it leaves behind is checked."""
    platform = KIND[0](store, list(apps), settings or Settings())
    for app in apps:
        await platform.register_app(app)
    await platform.scheduler.tick()
    if worker:
        await platform.start_worker()
    try:
        yield platform
    finally:
        await platform.close()
