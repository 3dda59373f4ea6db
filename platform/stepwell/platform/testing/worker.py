"""A worker that a test can watch, and let die."""

from collections.abc import Iterable
from copy import copy
from functools import partial
from typing import Any

from stepwell.functions import App
from stepwell.functions.function import Function
from stepwell.platform.executor.inprocess import InProcess
from stepwell.platform.executor.journal import RunJournal
from stepwell.platform.executor.session import Session, new_session_id
from stepwell.platform.executor.worker import Place, Worker
from stepwell.platform.installation import Installation
from stepwell.platform.records import Lease
from stepwell.platform.testing.bodies import WatchedBodies
from stepwell.platform.testing.journal import MortalJournal
from stepwell.platform.testing.life import EXECUTING, Life

ALONE, MANY = 1, 256


class MortalWorker(Worker):
    """A worker in a session of its own, in the process of the test.

    Args:
        installation: where it works.
        apps: whose functions it serves.
        life: of this worker.
        suspects: serve runs that have seen two workers die, one at a time, and no others.
    """

    def __init__(self, installation: Installation, apps: Iterable[App], life: Life, *, suspects: bool) -> None:
        self.life = life
        self.suspects = suspects
        handlers = InProcess(apps, installation.settings, concurrency=ALONE if suspects else MANY, suspects=suspects)
        handlers.functions = {name: self._watched(function) for name, function in handlers.functions.items()}
        super().__init__(
            installation.partitions,
            handlers,
            installation.ingest,
            installation.waits,
            installation.clock,
            installation.settings,
            Session(new_session_id(installation.clock.now())),
        )

    def _watched(self, function: Function[Any]) -> Function[Any]:
        watched = copy(function)
        watched.bodies = WatchedBodies(function.bodies, partial(self.life.begin, function.name))
        return watched

    async def _execute(self, lease: Lease) -> None:
        EXECUTING.set(lease.run)
        try:
            await super()._execute(lease)
        finally:
            self.life.let_go(lease.run)

    def _journal(self, lease: Lease, place: Place) -> RunJournal:
        return MortalJournal(lease, place.owner, self._ingest, self._waits, self._settings.max_event_bytes, self.life)
