"""The functions of crash_app.py over a stack, and what a test asks about them."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.ledger import Ledger
from stepwell.client import Client, Event, Run
from stepwell.platform.clock import SystemClock
from stepwell.platform.installation import Installation
from stepwell.platform.records import RunRecord, StepRow
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.crash_stack import PATIENCE, Stack, soon, stack

APP = Path(__file__).with_name("crash_app.py")
ROOT = APP.parents[1]


@dataclass(frozen=True, slots=True)
class Crew:
    """A stack with the functions.

    Args:
        stack: of processes.
        client: of its server.
        ledger: of the bodies.
        installation: over its Redis, to look behind it.
    """

    stack: Stack
    client: Client
    ledger: Ledger
    installation: Installation

    async def start(self, name: str, count: int = 1, **data: Any) -> list[str]:
        """Sends so many events; gives the runs they started."""
        events = await self.client.send([Event(name, data) for _ in range(count)])
        return [run.id for event in events for run in await self.client.events.runs(event)]

    async def ended(self, runs: Sequence[str]) -> list[Run]:
        """The runs, when all have ended."""
        return list(await asyncio.gather(*(self.client.runs.wait(run, timeout=PATIENCE) for run in runs)))

    async def recorded(self, runs: Sequence[str]) -> list[tuple[RunRecord, list[StepRow]]]:
        """All that is recorded of runs."""
        history = self.installation.history
        views, steps = [await history.run(run) for run in runs], [await history.steps(run) for run in runs]
        return [(view.run, rows) for view, rows in zip(views, steps, strict=True) if view and rows is not None]

    async def begun(self, body: str, times: int) -> None:
        """Returns when a body has begun so many times."""
        await soon(lambda: [one.step for one in self.ledger.executions()].count(body) == times)


@asynccontextmanager
async def crew(folder: Path, expiry: float, target: Path = APP, **settings: str) -> AsyncGenerator[Crew]:
    """A crew with sessions of so many seconds, and other settings by their names in the environment."""
    ledger = Ledger(folder / "ledger.sqlite")
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"STEPWELL_SESSION_EXPIRY": str(expiry), "CRASH_LEDGER": str(ledger.path), "PYTHONPATH": paths}
    async with stack(folder, target, environment | settings) as running:
        opened = Settings(redis_url=running.redis.url, session_expiry=expiry)
        async with Store.open(opened) as store, running.client() as client:
            yield Crew(running, client, ledger, Installation.over(store, opened, SystemClock()))
