"""A whole platform as a user has it: an embedded server, one server process, one worker, one client."""

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import process_time
from typing import Any

import orjson

from bench.cpu import Cpu, alive, children, seconds_of
from bench.endings import Endings
from bench.events import event
from bench.figure import BenchFailed
from bench.process import Process
from bench.scale import Setting
from stepwell.client import Client, Event, Run
from stepwell.platform.clock import SystemClock
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.settings import Settings
from stepwell.platform.store.embedded import embedded
from stepwell.platform.store.store import Store

TARGET = Path(__file__).with_name("target.py")
CONTROLLED = Path(__file__).with_name("controlled.py")
READY = 60.0
"""Seconds a stack has to begin."""
CONCURRENCY = 256
ARRAY = 1_000
"""Events in one request, at most."""


class Redis:
    """An embedded server with append-only persistence, as the product supervises it, in a folder of its own.

    Args:
        folder: for what else belongs there.
        settings: that name it.
        store: over it.
        pid: of its process.
    """

    def __init__(self, folder: Path, settings: Settings, store: Store, pid: int) -> None:
        self.folder = folder
        self.settings = settings
        self.store = store
        self.pid = pid

    @property
    def cpu(self) -> Cpu:
        """What this process and the server have used so far."""
        return Cpu(client=process_time(), redis=seconds_of([self.pid]))

    async def info(self) -> dict[str, str]:
        """What it says about itself."""
        return await information(self.store)


async def information(store: Store) -> dict[str, str]:
    """What the server of a store says about itself."""
    lines = (await store.call(0, "INFO")).decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


@asynccontextmanager
async def serving(setting: Setting) -> AsyncGenerator[Redis]:
    """An embedded server."""
    with tempfile.TemporaryDirectory(prefix="swb", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        wanted = Settings(
            data_dir=folder / "data",
            embedded_fsync=setting.fsync,
            embedded_binary=setting.program,
            session_expiry=setting.scale.expiry,
        )
        async with embedded(wanted) as settings, Store.open(settings) as store:
            pid = int((await information(store))["process_id"])
            yield Redis(folder, settings, store, pid)


class Stack:
    """Everything, running. Make one with `running`.

    Args:
        redis: the embedded server.
        url: of the server process.
        client: for the server process.
        endings: of runs.
        server: the server process.
        environment: of the processes.
    """

    def __init__(
        self, redis: Redis, url: str, client: Client, endings: Endings, server: Process, environment: Mapping[str, str]
    ) -> None:
        self.redis = redis
        self.url = url
        self.client = client
        self.endings = endings
        self._server = server
        self._environment = environment
        self._worker: Process | None = None
        self._expected = 0

    @property
    def cpu(self) -> Cpu:
        """What everything has used so far: `worker` is the child of the worker, in which functions are executed."""
        return Cpu(
            process_time(),
            seconds_of([self._server.pid]),
            seconds_of(self.worker_children),
            seconds_of([self.redis.pid]),
        )

    @property
    def worker_children(self) -> list[int]:
        """The processes in which functions are executed."""
        return children(self._worker.pid) if self._worker else []

    @property
    def partition(self) -> Partition:
        """The only one there is."""
        return partitions_of(self.redis.store, SystemClock())[0]

    async def start_worker(self, target: Path = TARGET, **environment: str) -> None:
        """Starts a worker for the functions of a file, with something more in its environment."""
        words = ["worker", str(target), "--concurrency", str(CONCURRENCY)]
        self._worker = await Process.start(
            "worker", words, {**self._environment, **environment}, self.redis.folder / "worker.log"
        )

    async def stop_worker(self) -> None:
        """Lets the worker drain and end."""
        if self._worker is not None:
            await self._worker.stop()
        self._worker = None

    async def kill_worker(self, *, parent: bool) -> None:
        """Kills the child of the worker, and its parent before it if that is wanted; returns when they are dead."""
        pids = self.worker_children
        if parent and self._worker is not None:
            await self._worker.kill()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(map(alive, pids)):  # noqa: ASYNC110  # they are not our children
            await asyncio.sleep(0.001)

    async def ready(self) -> None:
        """Returns when a run has been executed. Raises `BenchFailed` when a process ends, or nothing happens."""
        try:
            async with asyncio.timeout(READY):
                while not await self._tried():  # noqa: ASYNC110  # a registration is not announced
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise BenchFailed(f"nothing was executed within {READY:g} s") from None

    async def _tried(self) -> bool:
        self._server.check()
        if self._worker is not None:
            self._worker.check()
        [id] = await self.client.send(event("bench.three"))
        # Before the worker has registered its functions an event starts nothing.
        runs = await self.client.events.wait(id)
        self._expected += len(runs)
        return bool(runs)

    async def run(self, sent: Event) -> Run:
        """The run of an event, as soon as the client knows that it has ended. Raises `BenchFailed`."""
        [run] = await self.client.send_and_wait(sent, timeout=READY)
        self._expected += 1
        if run.status != "completed":
            raise BenchFailed(f"a run of {run.function} has {run.status}: {run.error}")
        return run

    async def send(self, events: Sequence[Event]) -> list[str]:
        """Sends very many events; gives their ids."""
        parts = [events[first : first + ARRAY] for first in range(0, len(events), ARRAY)]
        return [id for part in parts for id in await self.client.send(part)]

    async def outputs(self, events: Sequence[str]) -> list[Any]:
        """What the runs of events gave back, when all have ended. Raises `BenchFailed` when they do not."""
        self._expected += len(events)
        runs, partition = await self.endings.of_events(events), self.partition
        found = await asyncio.gather(*[partition.read("HGET", partition.keys.name("k_run", run), "o") for run in runs])
        return [orjson.loads(output) for output in found]

    async def completed(self, count: int) -> None:
        """Waits until so many more runs are completed. Raises `BenchFailed`."""
        self._expected += count
        await self.endings.complete(self._expected)


@asynccontextmanager
async def running(setting: Setting, *, target: Path = TARGET, deaf: bool = False) -> AsyncGenerator[Stack]:
    """Everything, ready; stopped at the end, the worker first. What is shared is ready when nothing is left to do.

    Args:
        setting: what is measured, and how.
        target: the functions, of something that is not shared.
        deaf: whether the ends of runs are not listened for, which would cost this process time with each.
    """
    if setting.shared is not None:
        await setting.shared.completed(0)
        yield setting.shared
        return
    async with serving(setting) as redis, AsyncExitStack() as parts:
        port = free_port()
        environment = surroundings(redis.settings)
        words = ["server", "--host", "127.0.0.1", "--port", str(port)]
        server = await Process.start("server", words, environment, redis.folder / "server.log")
        parts.push_async_callback(server.stop)
        await listening(port, server)
        url = f"http://127.0.0.1:{port}"
        client = await parts.enter_async_context(Client(url, key="bench"))
        endings = await parts.enter_async_context(Endings.of(redis.store)) if not deaf else Endings()
        stack = Stack(redis, url, client, endings, server, environment)
        parts.push_async_callback(stack.stop_worker)
        await stack.start_worker(target)
        await stack.ready()
        if not deaf:
            await stack.completed(0)
        yield stack


def surroundings(settings: Settings) -> dict[str, str]:
    """The environment of the processes: ours, where Redis is, and what differs from the defaults."""
    ours = {
        "STEPWELL_REDIS_URL": str(settings.redis_url),
        "STEPWELL_SESSION_EXPIRY": str(settings.session_expiry),
        "PYTHONUNBUFFERED": "1",
    }
    return os.environ | ours


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listening(port: int, server: Process) -> None:
    """Returns when the server takes connections. Raises `BenchFailed` when it ends instead, or takes too long."""
    for _ in range(int(READY / 0.05)):
        server.check()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise BenchFailed(f"the server does not listen within {READY:g} s")
