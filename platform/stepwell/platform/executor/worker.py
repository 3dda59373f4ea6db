"""A worker: leases runs of functions and sees to it that they are executed."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog

from stepwell.functions.replay import Suspended
from stepwell.platform.clock import Clock
from stepwell.platform.engine.leases import Leases, SessionDead
from stepwell.platform.engine.logs import Logs
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.board import Board
from stepwell.platform.executor.executing import Executing
from stepwell.platform.executor.handlers import Handlers, Taken
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.executor.leasing import Leasing
from stepwell.platform.executor.logbook import Desk
from stepwell.platform.executor.recorded import Recorded
from stepwell.platform.executor.session import Session
from stepwell.platform.executor.strays import Strays
from stepwell.platform.executor.work import Work
from stepwell.platform.ids import partition_of
from stepwell.platform.ingest import Ingest
from stepwell.platform.records import Lease, RunRecord, Status, StepRow
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import session_channel, wake_channel
from stepwell.platform.waits.waits import Waits

PARTING = 1.0
"""Seconds in which what runs have said last may still arrive."""
LOOK = 1.0
"""Seconds between two looks at which steps take long."""
NEWS = 2.0
"""Seconds after which a worker asks for news of its runs without a hint."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a worker needs of one partition."""

    partition: Partition
    leases: Leases
    owner: Owner
    strays: Strays
    desk: Desk

    @classmethod
    def of(cls, partition: Partition, settings: Settings) -> "Place":
        """The engine's parts of a partition, with the limits of the settings."""
        expiry = int(settings.session_expiry * 1000)
        leases = Leases(partition, expiry, settings.crash_limit)
        owner = Owner(partition, settings.max_steps, settings.max_run_bytes)
        lines, size = settings.log_lines, settings.log_bytes
        desk = Desk(Logs(partition, lines, size), partition.clock, lines, size)
        return cls(partition, leases, owner, Strays(partition, owner), desk)


class Worker:
    """Executes runs until it is drained, or its session is dead.

    Args:
        partitions: where runs are leased.
        handlers: execute them.
        ingest: takes the events that runs send.
        waits: sees to what runs wait for.
        clock: tells `now` to executions.
        settings: limits.
        session: in whose name runs are leased; somebody else keeps it alive.
        board: where executing runs are written down; `None` for nowhere.
    """

    def __init__(
        self,
        partitions: Sequence[Partition],
        handlers: Handlers,
        ingest: Ingest,
        waits: Waits,
        clock: Clock,
        settings: Settings,
        session: Session,
        *,
        board: Board | None = None,
    ) -> None:
        self.session = session
        self.works: dict[str, Work] = {}
        self._ingest = ingest
        self._waits = waits
        self._clock = clock
        self._settings = settings
        self._board = board
        self._recorded = Recorded(settings.recorded_bytes)
        self._handlers = handlers
        self._room = handlers.room
        self._places = [Place.of(partition, settings) for partition in partitions]
        self._leasings = [
            Leasing(place.leases, session, share.functions, handlers.versions, self._room, self._begin, share.bound)
            for share in handlers.shares()
            for place in self._places
        ]
        # Leased, while their state is being read: by run, the token; and those of them that there was news of.
        self._preparing: dict[str, str] = {}
        self._unheard: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._executing = [Executing(place.leases, session.id) for place in self._places]
        self._news = asyncio.Event()
        self._draining = False

    @property
    def busy(self) -> int:
        """Runs it has at the moment."""
        return len(self.works)

    async def run(self) -> None:
        """Leases and executes until cancelled, or until the session is dead; then lets go of every run at once."""
        loops = [leasing.run() for leasing in self._leasings]
        try:
            async with asyncio.TaskGroup() as group:
                for loop in (*loops, self._listen(), self._hear_news(), self._tell_executing()):
                    group.create_task(loop)
                await self.session.dead.wait()
                raise SessionDead(self.session.id)
        except* SessionDead:
            self.session.dead.set()
        finally:
            for work in self.works.values():
                work.execution.abandon()
            self._handlers.close()

    async def drain(self, patience: float) -> None:
        """Finishes the step bodies in flight and releases every run; after `patience` seconds, gives up on the rest."""
        self._draining = True
        for leasing in self._leasings:
            leasing.stop()
        for work in self.works.values():
            work.execution.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        for work in self.works.values():
            work.execution.abandon()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        await self.hear_out(PARTING)

    @property
    def desks(self) -> list[Desk]:
        """Where what runs say leaves."""
        return [place.desk for place in self._places]

    async def hear_out(self, patience: float) -> None:
        """Waits until what runs have said is kept, but not for longer than `patience` seconds."""
        await asyncio.gather(*[desk.settle(patience) for desk in self.desks])

    async def cut_off(self) -> None:
        """Stops every run where it is and records nothing more: what is left is what a crash would leave."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for desk in self.desks:
            desk.close()

    def _begin(self, lease: Lease) -> None:
        self._preparing[lease.run] = lease.token
        task = asyncio.create_task(self._execute(lease))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, lease: Lease) -> None:
        try:
            with self._at_work(await self._make(lease)) as work:
                if not isinstance(await work.run(), Suspended):
                    self._recorded.forget(lease.run)
        except Exception:
            # The run stays ours, and executes nothing: the next look at what is held releases it.
            structlog.get_logger().exception("run_not_executed", run=lease.run, function=lease.function)
        finally:
            self._prepared(lease)
            self._room.give_back(1)

    @contextmanager
    def _at_work(self, work: Work) -> Generator[Work]:
        run = work.lease.run
        older = self.works.get(run)
        if older is not None:
            # It has let go of the run, or this could not be leased, and only the answer is still on its way.
            older.execution.abandon()
        self.works[run] = work
        self._prepared(work.lease)
        slot = None if self._board is None else self._board.put(run)
        if self._draining:
            work.execution.drain()
        try:
            yield work
        finally:
            if self.works.get(run) is work:
                del self.works[run]
            if self._board is not None and slot is not None:
                self._board.wipe(slot)

    def _prepared(self, lease: Lease) -> None:
        if self._preparing.get(lease.run) == lease.token:
            del self._preparing[lease.run]
        if lease.run in self._unheard:
            self._unheard.discard(lease.run)
            self._news.set()

    async def _make(self, lease: Lease) -> Work:
        place = self._places[partition_of(lease.run)]
        reread = partial(self._recorded.read, place.partition, lease.run)
        rows = await reread() if lease.rows is None else lease.rows
        run = Taken(lease, rows, self._journal(lease, place), self._clock.now(), reread)
        return Work(lease, partial(self._handlers.begin, run), run.journal, place.owner, place.desk)

    def _journal(self, lease: Lease, place: Place) -> RunJournal:
        return RunJournal(lease, place.owner, self._ingest, self._waits, self._settings.max_event_bytes)

    # Hints and news.

    async def _listen(self) -> None:
        channels: dict[str, list[Leasing]] = {}
        for leasing in self._leasings:
            for name in leasing.functions:
                channels.setdefault(wake_channel(name), []).append(leasing)
        store = self._places[0].partition.store
        async with store.subscribe(*channels, session_channel(self.session.id)) as messages:
            async for message in messages:
                for leasing in self._leasings if message is None else channels.get(message[0], ()):
                    leasing.wake()
                if message is None or message[0] not in channels:
                    self._news.set()

    async def _hear_news(self) -> None:
        heard: list[list[tuple[str, str]]] = [[] for _ in self._places]
        while True:
            self._news.clear()
            heard = [await self._hear(place, news) for place, news in zip(self._places, heard, strict=True)]
            if not any(heard):  # what was heard is acknowledged at once, so that it is not told again
                with suppress(TimeoutError):
                    async with asyncio.timeout(NEWS):
                        await self._news.wait()

    async def _tell_executing(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            homes: list[list[str]] = [[] for _ in self._places]
            for run in self.works:
                homes[partition_of(run)].append(run)
            for executing, home in zip(self._executing, homes, strict=True):
                with suppress(StepwellError):  # it is told of at the next look
                    await executing.tell(self.works, home)

    async def _hear(self, place: Place, heard: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Hears the news, and gives back what there is no need to be told again."""
        try:
            pulse = await place.leases.beat(self.session.id, heard)
            news = [(run, step) for run, step in pulse.news if run not in self._preparing]
            self._unheard.update(run for run, _ in pulse.news if run in self._preparing)
            for run, step in news:
                work = self.works.get(run)
                if work is not None:
                    await (self._hear_step(place, work, step) if step else self._hear_cancel(place, work))
            await place.strays.release(self.session.id, pulse.held, self.works.keys() | self._preparing.keys())
        except StepwellError as error:
            structlog.get_logger().warning("no_news", error=str(error))
            return []
        return news

    async def _hear_step(self, place: Place, work: Work, step: str) -> None:
        row = await place.partition.read("HGET", place.partition.keys.name("k_steps", work.lease.run), step)
        if row is not None:
            work.hear(StepRow.parse(step.encode(), row))

    async def _hear_cancel(self, place: Place, work: Work) -> None:
        flat = await place.partition.read("HGETALL", place.partition.keys.name("k_run", work.lease.run))
        header = RunRecord.parse(work.lease.run, dict(zip(flat[::2], flat[1::2], strict=True)))
        if header.status is not Status.RUNNING or header.token != work.lease.token:
            work.execution.abandon()
        else:
            work.execution.cancel()
