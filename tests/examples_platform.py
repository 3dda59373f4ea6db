"""The platform in this process, over a store in memory, for examples: server side, scheduler and one worker."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from stepwell.functions import App
from stepwell.platform.clock import SystemClock
from stepwell.platform.codec import encode
from stepwell.platform.executor.session import Session, new_session_id
from stepwell.platform.executor.worker import Worker
from stepwell.platform.history import RunView
from stepwell.platform.incoming import parse_events
from stepwell.platform.installation import Installation
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import ENDED
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store


class ExamplePlatform:
    """Accepts events as the server does, and tells what became of them.

    Args:
        installation: over the store.
    """

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.history = installation.history

    async def send(self, events: Sequence[Mapping[str, Any]]) -> list[str]:
        """Ids of the events, in order."""
        accepted = parse_events(encode(list(events)), self.installation.settings.max_event_bytes)
        return await self.installation.ingest.accept(accepted)

    async def send_and_wait(self, events: Sequence[Mapping[str, Any]]) -> list[RunView]:
        """The runs of the events, each event's once, when all have ended."""
        async with self.installation.store.subscribe(ENDED) as endings:
            ids = list(dict.fromkeys(await self.send(events)))
            async for _ in endings:
                if not [id for id in ids if await self._unfinished(id)]:
                    break
        return [view for id in ids for view in await self.runs_of(id)]

    async def runs_of(self, id: str) -> list[RunView]:
        """The runs of an event."""
        event = await self.history.event(id)
        assert event is not None
        return await self.history.event_runs(event)

    async def settle(self) -> None:
        """Returns when no run is left unfinished, those started by other runs included."""
        async with self.installation.store.subscribe(ENDED) as endings:
            async for _ in endings:
                if (await self.history.counts()).unfinished == 0:
                    break

    async def _unfinished(self, id: str) -> bool:
        event = await self.history.event(id)
        assert event is not None
        return await self.history.ended_runs(event.id, event.name, event.runs) is None


@asynccontextmanager
async def example_platform(apps: Iterable[App], store: Store | None = None) -> AsyncGenerator[ExamplePlatform]:
    """A platform that serves the apps until the block is left; over a store in memory unless one is given."""
    if store is None:
        async with memory_store() as opened, example_platform(apps, opened) as platform:
            yield platform
        return
    settings, clock = Settings(), SystemClock()
    installation = Installation.over(store, settings, clock)
    served = list(apps)
    for app in served:
        await installation.registry.register(app.manifest)
    session = Session(new_session_id(clock.now()))
    worker = Worker(installation.partitions, served, installation.ingest, clock, settings, session, concurrency=64)
    scheduler = Scheduler(installation.partitions, clock, settings)
    tasks = [asyncio.create_task(worker.run()), asyncio.create_task(scheduler.run())]
    try:
        yield ExamplePlatform(installation)
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
