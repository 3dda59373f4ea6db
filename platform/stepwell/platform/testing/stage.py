"""Everything that is behind a test platform, set up and cleared away."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from stepwell.functions import App
from stepwell.platform.clock import ManualClock
from stepwell.platform.executor.prints import overheard
from stepwell.platform.flow.pausing import Pausing
from stepwell.platform.installation import Installation
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from stepwell.platform.testing.crew import Crew
from stepwell.platform.testing.faults import Faults
from stepwell.platform.testing.progress import Progress
from stepwell.platform.testing.reading import Reading
from stepwell.platform.testing.settling import Settling
from stepwell.platform.testing.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Stage:
    """The parts of a platform in memory, and its one crew of workers."""

    installation: Installation
    faults: Faults
    crew: Crew
    settling: Settling
    timeline: Timeline
    reading: Reading
    pausing: Pausing

    @classmethod
    async def over(
        cls, store: Store, apps: Sequence[App], settings: Settings, clock: ManualClock, patience: float
    ) -> "Stage":
        """The parts over an open store, with the apps registered; nobody works yet."""
        installation = Installation.over(store, settings, clock)
        for app in apps:
            await installation.registry.register(app.manifest)
        scheduler = Scheduler(
            installation.partitions, clock, settings, installation.waits.errands, installation.registry
        )
        await scheduler.tick()
        functions = tuple(function.name for app in apps for function in app.functions.values())
        faults, progress = Faults(), Progress()
        crew = Crew(installation, apps, faults, progress)
        settling = Settling(installation.partitions[0], clock, scheduler, crew, progress, functions, patience)
        timeline = Timeline(clock, scheduler, crew, settling)
        reading = Reading(installation.history, functions)
        pausing = Pausing(installation.partitions, installation.registry)
        return cls(installation, faults, crew, settling, timeline, reading, pausing)


@asynccontextmanager
async def stage(apps: Sequence[App], settings: Settings, clock: ManualClock, patience: float) -> AsyncGenerator[Stage]:
    """A stage whose crew works until it is left. Raises `StoreMisconfigured` when fakeredis is not installed."""
    async with memory_store(settings) as store:
        made = await Stage.over(store, apps, settings, clock, patience)
        made.crew.start()
        try:
            with overheard() if settings.capture_prints else nullcontext():
                yield made
        finally:
            await made.crew.stop()


def check_apps(apps: Sequence[object]) -> None:
    """Raises `TypeError` or `ValueError` when these cannot be served together."""
    if not apps:
        raise TypeError("TestPlatform takes the apps to serve: TestPlatform(app)")
    ids: list[str] = []
    for app in apps:
        if not isinstance(app, App):
            raise TypeError(f"TestPlatform takes apps, not {app!r}")
        ids.append(app.id)
    if len(set(ids)) < len(ids):
        raise ValueError(f"two of the apps have the same id: {', '.join(ids)}")
