"""Executes the functions of all apps that are registered as reached over HTTP, whichever those are at the time."""

import asyncio
from contextlib import suppress

import structlog

from stepwell.functions.protocol import Manifest
from stepwell.platform.engine.cards import Cards
from stepwell.platform.engine.leases import Leases
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.remote.app import RemoteApp, session_id
from stepwell.platform.executor.remote.caller import Caller, HttpCaller, Seal, session
from stepwell.platform.executor.remote.gateway import Gateway
from stepwell.platform.executor.remote.working import work
from stepwell.platform.executor.session import Session
from stepwell.platform.executor.worker import Worker
from stepwell.platform.installation import Installation
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.slugs import named

PATIENCE = 5.0
"""Seconds in which calls under way may end when this process does."""
PAUSE = 1.0
"""Seconds after which an app whose session has died is taken up anew."""


class RemoteApps:
    """A worker for each app, so that none can keep another from being called.

    Args:
        installation: where they are registered, and runs are leased.
        seal: signs calls.
        addresses: that apps may be called at.
        kind: of this server, "dev" or "cloud".
    """

    def __init__(self, installation: Installation, seal: Seal, addresses: Addresses, kind: str) -> None:
        self._installation = installation
        self._registry = installation.registry
        self._cards = Cards(installation.partitions[0])
        self._settings = installation.settings
        self._clock = installation.clock
        self._seal = seal
        self._addresses = addresses
        self._kind = kind
        self._gateway = Gateway.of(self._settings, private=addresses.private)
        self._serving: dict[str, tuple[Manifest, asyncio.Task[None]]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serves until cancelled; then lets calls under way end for a moment, and gives the runs back."""
        try:
            async with session(self._addresses) as opened:
                patience, check = self._settings.call_timeout, self._addresses.check_url
                caller = HttpCaller(opened, self._clock, self._seal, check, kind=self._kind, patience=patience)
                try:
                    await self._follow(caller)
                finally:
                    await self._leave_all()
        except asyncio.CancelledError:
            return

    async def _follow(self, caller: Caller) -> None:
        snapshot = self._registry.snapshot
        while True:
            self._take_up(snapshot, caller)
            snapshot = await self._registry.changed(snapshot)

    def _take_up(self, snapshot: Snapshot, caller: Caller) -> None:
        wanted = {id: one for id, one in snapshot.apps.items() if any(function.url for function in one.functions)}
        for id in [id for id, (known, _) in self._serving.items() if wanted.get(id) != known]:
            self._leave(id)
        for id, manifest in wanted.items():
            if id not in self._serving:
                self._serving[id] = manifest, asyncio.create_task(self._serve(manifest, caller))

    def _leave(self, id: str) -> None:
        _, task = self._serving.pop(id)
        task.cancel()
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave_all(self) -> None:
        for id in list(self._serving):
            self._leave(id)
        await asyncio.sleep(0)  # they begin to leave
        for task in self._leaving:
            task.cancel()  # and have no more time for it than there is
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _serve(self, manifest: Manifest, caller: Caller) -> None:
        """Has a worker for one app, and another one should the first be taken for dead."""
        while True:
            app = RemoteApp(manifest, caller, self._named, self._settings, self._clock, self._gateway)
            worker = self._worker(app)
            task = asyncio.create_task(work(worker, app, self._cards, self._settings, self._clock))
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                await self._end(worker, task)
                raise
            except Exception:
                structlog.get_logger().exception("app_not_served", app=manifest.id)
            await asyncio.sleep(PAUSE)

    def _worker(self, app: RemoteApp) -> Worker:
        installation = self._installation
        session = Session(session_id())
        return Worker(
            installation.partitions,
            app,
            installation.ingest,
            installation.waits,
            self._clock,
            self._settings,
            session,
        )

    async def _end(self, worker: Worker, task: asyncio.Task[None]) -> None:
        """Leases nothing more, and waits for the calls under way; cancelled, for a moment only."""
        try:
            await worker.drain(self._settings.call_timeout)
        except asyncio.CancelledError:
            await worker.drain(PATIENCE)
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
        for partition in self._installation.partitions:
            leases = Leases(partition, int(self._settings.session_expiry * 1000), self._settings.crash_limit)
            with suppress(StepwellError):  # it is taken for dead when it has been silent for long enough
                await leases.reap(worker.session.id, (), "idle")

    def _named(self, slug: str) -> str:
        return named(slug, self._registry.snapshot) or slug
