"""`kill -9` of an app that is called over HTTP, and of the server that calls it: nothing is lost or recorded twice."""

import asyncio
import contextlib
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Literal

import httpx2
import pytest

from stepwell.client import Client, Event
from stepwell.platform.clock import SystemClock
from stepwell.platform.codec import decode
from stepwell.platform.doctor.examination import examine
from stepwell.platform.installation import Installation
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.crash_crew import ROOT
from tests.crash_stack import Part, Stack, eventually
from tests.redis_servers import Server, free_port, program
from tests.sdk_apps import express_program, was_taken

pytestmark = pytest.mark.slow

KEY = "signkey-prod-" + "ab" * 32
STEPS = ["first", "second", "third"]
EXPIRY = 3
Victim = Literal["app", "server"]
PYTHON = sys.executable, "-m", "tests.sdk.crash_app"


@dataclass
class Served:
    """A server and an app of an official SDK, in processes of their own.

    Args:
        stack: the server and its Redis.
        app: serves functions on `port`.
        ledger: every body that was executed, a line each: its run, its step, and when it began in ms UTC.
        installation: over the Redis, to look behind it.
        kills: when, ms UTC.
    """

    stack: Stack
    app: Part
    port: int
    ledger: Path
    installation: Installation
    kills: list[int] = field(default_factory=list[int])

    async def kill(self, victim: Victim) -> None:
        """Ends one of the two; it is started again at once."""
        part = self.app if victim == "app" else self.stack.server
        self.kills.append(SystemClock().now())
        part.hit(signal.SIGKILL)
        await self.stack.reborn(part)

    async def unfinished(self) -> int:
        """How many runs have not ended."""
        return (await self.installation.history.counts()).unfinished

    async def register(self) -> None:
        """Has the app register itself."""
        async with httpx2.AsyncClient(timeout=30) as http:

            async def asked() -> bool:
                with contextlib.suppress(httpx2.HTTPError):
                    return was_taken(await http.put(f"http://127.0.0.1:{self.port}/api/inngest"))
                return False

            await eventually(asked)
        await self.stack.known()


@asynccontextmanager
async def served(folder: Path, app_program: tuple[str, ...]) -> AsyncGenerator[Served]:
    """Both, in a folder with a short path."""
    redis = Server(program("redis"), folder / "redis", options={"appendonly": "yes"})
    await asyncio.to_thread(redis.start)
    ledger, port = folder / "ledger", free_port()
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {
        **os.environ,
        "STEPWELL_REDIS_URL": redis.url,
        "STEPWELL_SESSION_EXPIRY": str(EXPIRY),
        "STEPWELL_SIGNING_KEY": KEY,
        "STEPWELL_ALLOW_PRIVATE_URLS": "true",
        "STEPWELL_RETRY_INTERVAL": "0.2",
        "NO_COLOR": "1",
        "LEDGER": str(ledger),
        "PYTHONPATH": paths,
    }
    stack = Stack(redis, folder, environment, "")
    theirs = {"INNGEST_BASE_URL": stack.url, "INNGEST_SIGNING_KEY": KEY, "INNGEST_EVENT_KEY": "any", "INNGEST_DEV": "0"}
    app = Part((str(port),), environment | theirs, folder / "app.log", app_program)
    opened = Settings(redis_url=redis.url, session_expiry=EXPIRY)
    try:
        await stack.start_server()
        await app.start()
        async with Store.open(opened) as store:
            both = Served(stack, app, port, ledger, Installation.over(store, opened, SystemClock()))
            await both.register()
            yield both
    finally:
        if app.process is not None:
            await app.stop()
        await stack.stop()
        redis.kill()


async def mistreat(both: Served, random: Random, runs: int, kills: int) -> list[str]:
    """Starts runs, and kills the app or the server again and again while they are executed; gives the runs."""
    async with both.stack.client() as client:
        events = await client.send([Event("work", {"number": number}) for number in range(runs)])
        for number in range(kills):
            await asyncio.sleep(random.uniform(0.2, 2.0))
            await both.kill("server" if number % 3 == 1 else "app")
        await both.stack.ready()
        await eventually(lambda: _settled(both), 120)
        found = [run for event in events for run in await _runs(client, event)]
        assert len(found) == runs, "each event has started a run"
        return found


async def _settled(both: Served) -> bool:
    return await both.unfinished() == 0


async def _runs(client: Client, event: str) -> list[str]:
    return [run.id for run in await client.events.runs(event)]


async def judge(both: Served, runs: list[str]) -> None:
    """All have completed, and each body was executed once, but where a kill has cut it."""
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for line in both.ledger.read_text().splitlines():
        run, step, began = line.split()
        times[run, step].append(int(began))
    history = both.installation.history
    for run in runs:
        view, rows = await history.run(run), await history.steps(run)
        assert view is not None
        assert rows is not None
        assert (view.run.status, decode(view.run.output or b"null")) == ("completed", STEPS), view
        assert [row.key for row in rows if row.kind == "run"] == STEPS
        for row in rows:
            all_began = times.pop((run, row.key), [])
            assert all_began or row.kind != "run", f"{row.key} of {run} was not executed"
            late = [one for one in all_began if one > row.ended]
            assert not late, f"{row.key} of {run} was executed again when it was recorded"
            for pair in pairwise(all_began):
                cut = [kill for kill in both.kills if pair[0] <= kill <= pair[1]]
                assert cut, f"{row.key} of {run}: {all_began}, {both.kills}"
    findings = await examine(both.installation.store, both.installation.settings, SystemClock(), deep=True)
    assert [finding.text for finding in findings if finding.level == "wrong"] == []


@pytest.fixture(params=["python", "express"])
def app_program(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What serves the app."""
    if request.param == "python":
        return PYTHON
    return express_program(request.getfixturevalue("express"), "crash_app.mjs")


async def test_apps_and_servers_that_are_killed_lose_and_repeat_nothing(
    short_path: Path, app_program: tuple[str, ...]
) -> None:
    random = Random("served")
    async with served(short_path, app_program) as both:
        await judge(both, await mistreat(both, random, 120, 4))


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_apps_and_servers_that_are_killed_for_minutes_lose_and_repeat_nothing(
    short_path: Path, seed: int, app_program: tuple[str, ...]
) -> None:
    random = Random(seed)
    async with served(short_path, app_program) as both:
        for _ in range(10):
            await judge(both, await mistreat(both, random, 400, 12))
