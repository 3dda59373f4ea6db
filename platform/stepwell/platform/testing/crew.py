"""The workers of a test, from the first to the last: one that dies is followed by the next."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from stepwell.functions import App
from stepwell.platform.engine.leases import Leases
from stepwell.platform.installation import Installation
from stepwell.platform.testing.faults import Faults
from stepwell.platform.testing.life import Life
from stepwell.platform.testing.progress import Progress
from stepwell.platform.testing.worker import MortalWorker


class Crew:
    """One worker for all runs and, when one has died, a second for suspects.

    Args:
        installation: where they work.
        apps: whose functions they serve.
        faults: planned for their runs.
        progress: told of what goes on.
    """

    def __init__(self, installation: Installation, apps: Sequence[App], faults: Faults, progress: Progress) -> None:
        settings = installation.settings
        self._installation = installation
        self._apps = apps
        self._faults = faults
        self._progress = progress
        self._leases = [
            Leases(partition, int(settings.session_expiry * 1000), settings.crash_limit)
            for partition in installation.partitions
        ]
        self._workers: dict[MortalWorker, asyncio.Task[None]] = {}
        self._burials: set[asyncio.Task[None]] = set()
        self._context = copy_context()

    @property
    def sessions(self) -> list[str]:
        """Of the workers that live."""
        return [worker.session.id for worker in self._workers]

    @property
    def busy(self) -> bool:
        """Whether a worker has a run, or one that died is being replaced."""
        return bool(self._burials) or any(worker.busy for worker in self._workers)

    def start(self) -> None:
        """Starts the first worker."""
        self._hire(suspects=False)

    async def beat(self) -> None:
        """Keeps every session alive at the time it is now."""
        for session in self.sessions:
            for leases in self._leases:
                await leases.beat(session)

    async def hear_out(self, patience: float) -> None:
        """Waits until what runs have said is kept."""
        for worker in list(self._workers):
            await worker.hear_out(patience)

    def doings(self) -> Iterator[str]:
        """What each run that a worker has is doing."""
        for worker in self._workers:
            for id, work in worker.works.items():
                steps = " and ".join(f"in step {step!r}" for step in worker.life.steps_of(id))
                yield f"run {id} of {work.lease.function} is still {steps or 'in its handler, outside steps'}"

    def check(self) -> None:
        """Raises what has ended a worker that nobody wanted to end."""
        for task in [task for task in self._burials if task.done()]:
            task.result()
        for worker, task in self._workers.items():
            if task.done() and not worker.life.dead:
                task.result()
                raise RuntimeError("a worker of the test platform has ended by itself")

    async def stop(self) -> None:
        """Ends all workers where they are; nothing more is recorded."""
        for worker in self._workers:
            worker.life.dead = True
        await asyncio.gather(*self._burials, return_exceptions=True)
        for worker in list(self._workers):
            await self._end(worker)

    def _hire(self, *, suspects: bool) -> None:
        life = Life(self._faults, self._progress, lambda: self._bury(worker))
        worker = MortalWorker(self._installation, self._apps, life, suspects=suspects)
        self._workers[worker] = self._spawn(worker.run())

    def _bury(self, worker: MortalWorker) -> None:
        self._burials.add(self._spawn(self._replace(worker)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Not in the context at hand: that may be of a run, to which all its tasks belong.
        task = asyncio.create_task(work, context=self._context.copy())
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            self._burials.discard(task)
        self._progress.note()

    async def _replace(self, worker: MortalWorker) -> None:
        # First of all, so that nothing the dead worker still does is recorded.
        for leases in self._leases:
            await leases.reap(worker.session.id, (), "executing")
        await self._end(worker)
        self._hire(suspects=worker.suspects)
        if not any(other.suspects for other in self._workers):
            self._hire(suspects=True)

    async def _end(self, worker: MortalWorker) -> None:
        running = self._workers.pop(worker)
        await worker.cut_off()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
