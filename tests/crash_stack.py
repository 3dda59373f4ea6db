"""A platform of real processes on a Redis of its own, for tests that kill them: what was killed is started again."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias, TypeVar, get_args

import httpx2

from stepwell.client import Client, Retry
from stepwell.platform.clock import SystemClock
from tests.redis_servers import Server, free_port, launched, program

T = TypeVar("T")
Victim: TypeAlias = Literal["child", "worker", "server", "redis"]
CLI = "stepwell.platform.cli"
VICTIMS: tuple[Victim, ...] = get_args(Victim)

PATIENCE = 30.0
"""Seconds after which a test gives up waiting for a process."""
GLANCE = 0.01


@dataclass(frozen=True, slots=True)
class Kill:
    """A `kill -9`.

    Args:
        victim: what it hit.
        at: ms UTC.
        executors: ids of the processes with user code that died of it.
    """

    victim: Victim
    at: int
    executors: frozenset[int]


@dataclass
class Part:
    """One program, started again whenever it ends before it is stopped.

    Args:
        words: its arguments.
        environment: its own.
        log: what it prints, life after life.
        program: by default, `stepwell`.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    program: tuple[str, ...] = (sys.executable, "-m", CLI)
    process: asyncio.subprocess.Process | None = None
    _keeping: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of its present life."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> "Part":
        """Starts it, and keeps it running."""
        self.process = await self._spawn()
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def stop(self) -> int:
        """Asks it to end, as an operator would; gives its exit code."""
        assert self.process is not None
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        return await asyncio.wait_for(self.process.wait(), PATIENCE)

    def executors(self) -> frozenset[int]:
        """The processes it has started: those of a worker run user code."""
        return frozenset(children_of(self.pid))

    def hit(self, number: signal.Signals, *, executors: bool = False) -> frozenset[int]:
        """Sends a signal to it, and to its executors if asked to; gives those it had at that moment."""
        # Stopped first, so that it starts nobody meanwhile.
        os.kill(self.pid, signal.SIGSTOP)
        found = self.executors()
        for pid in (*(found if executors else ()), self.pid):
            os.kill(pid, number)
        return found

    async def _keep(self) -> None:
        while True:
            assert self.process is not None
            await self.process.wait()
            self.process = await self._spawn()

    async def _spawn(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(*launched(), *self.program, *self.words),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


async def eventually(ask: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> None:
    """Returns when the answer is yes. Raises `TimeoutError` when it is not within `patience` seconds."""
    async with asyncio.timeout(patience):
        while not await ask():  # noqa: ASYNC110 - what is waited for happens in other processes
            await asyncio.sleep(GLANCE)


async def soon(ask: Callable[[], T]) -> T:
    """The first answer that is true, of a question that can be asked without waiting."""
    async with asyncio.timeout(PATIENCE):
        while not (answer := ask()):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(GLANCE)
    return answer


def children_of(parent: int) -> list[int]:
    """Living processes that a process has started (Linux, proc(5))."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if path.name.isdigit():
                state, above = (path / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(above) == parent and state != "Z":
                    found.append(int(path.name))
    return found


@dataclass
class Stack:
    """Redis, a server and workers.

    Args:
        redis: of the stack's own.
        folder: for what its processes print.
        environment: of them.
        target: what its workers execute.
        kills: so far.
    """

    redis: Server
    folder: Path
    environment: Mapping[str, str]
    target: str
    port: int = field(default_factory=free_port)
    kills: list[Kill] = field(default_factory=list[Kill])
    parts: list[Part] = field(default_factory=list[Part])

    @property
    def url(self) -> str:
        """Of its server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def server(self) -> Part:
        """Its server."""
        return self.parts[0]

    @property
    def worker(self) -> Part:
        """Its first worker."""
        return self.parts[1]

    def client(self) -> Client:
        """A client as patient as the crashes need."""
        return Client(self.url, retry=Retry(tries=60, most=0.5, patience=PATIENCE))

    async def start(self) -> None:
        """Starts one of each; returns when the server is ready and knows the functions."""
        await self.start_server()
        await self.add_worker()
        await self.known()

    async def start_server(self) -> None:
        """Starts a server alone; returns when it is ready."""
        await self._add("server", "--port", str(self.port))
        await self.ready()

    async def known(self) -> None:
        """Returns when the server knows functions."""
        await self._until(self._knows_functions)

    async def add_worker(self) -> Part:
        """Starts one more worker."""
        return await self._add("worker", self.target)

    async def stop(self) -> None:
        """Stops all, workers first."""
        while self.parts:
            await self.parts.pop().stop()

    async def ready(self) -> None:
        """Returns when the server and its Redis answer."""
        await self._until(self._is_ready)

    async def kill(self, victim: Victim, random: Random, worker: Part | None = None) -> None:
        """Ends one of them with `kill -9`; returns when it lives again, though it may not be ready yet.

        Args:
            victim: which; a child is one of the worker's executors.
            random: picks the child.
            worker: the one that is meant, by default the first.
        """
        at, worker = SystemClock().now(), worker or self.worker
        executors = frozenset[int]()
        match victim:
            case "redis":
                self.redis.kill()
                await asyncio.to_thread(self.redis.start)
            case "server":
                self.server.hit(signal.SIGKILL)
                await self.reborn(self.server)
            case "worker":
                executors = worker.hit(signal.SIGKILL)
                await self.reborn(worker)
            case "child":
                executor = await self._some_executor(worker, random)
                os.kill(executor, signal.SIGKILL)
                executors = frozenset({executor})
        self.kills.append(Kill(victim, at, executors))

    async def _is_ready(self, http: httpx2.AsyncClient) -> bool:
        return (await http.get(f"{self.url}/health/ready")).is_success

    async def _knows_functions(self, http: httpx2.AsyncClient) -> bool:
        return bool((await http.get(f"{self.url}/api/v1/functions")).json()["data"])

    async def _until(self, holds: Callable[[httpx2.AsyncClient], Awaitable[bool]]) -> None:
        async with httpx2.AsyncClient() as http:

            async def asked() -> bool:
                with contextlib.suppress(httpx2.HTTPError):
                    return await holds(http)
                return False

            await eventually(asked)

    async def _some_executor(self, worker: Part, random: Random) -> int:
        dead = {pid for kill in self.kills for pid in kill.executors}
        living = await soon(lambda: worker.executors() - dead)
        return random.choice(sorted(living))

    async def reborn(self, part: Part) -> None:
        pid = part.pid
        await soon(lambda: part.pid != pid)

    async def _add(self, *words: str) -> Part:
        part = await Part(words, self.environment, self.folder / f"{words[0]}.log").start()
        self.parts.append(part)
        return part

    def said(self) -> str:
        """The last lines that its processes printed."""
        return "\n".join(f"--- {name}\n" + "\n".join(text.splitlines()[-60:]) for name, text in self._logs().items())

    def tracebacks(self) -> list[str]:
        """Which of them met an error they did not expect."""
        return [name for name, text in self._logs().items() if "Traceback (most recent call last)" in text]

    def _logs(self) -> dict[str, str]:
        return {path.name: path.read_text(errors="replace") for path in self.folder.glob("*.log")}


@asynccontextmanager
async def stack(
    folder: Path,
    target: Path,
    environment: Mapping[str, str],
    options: Mapping[str, str | int] | None = None,
    kind: Literal["redis", "valkey"] = "redis",
) -> AsyncGenerator[Stack]:
    """A stack in a folder with a short path, stopped at the end.

    Args:
        folder: empty, and its own.
        target: what its workers execute.
        environment: of its processes, beside our own.
        options: further lines of configuration of Redis.
        kind: of the server program that is Redis here.
    """
    redis = Server(program(kind), folder / "redis", options={"appendonly": "yes", **(options or {})})
    await asyncio.to_thread(redis.start)
    given = {"STEPWELL_REDIS_URL": redis.url, "NO_COLOR": "1", **environment}
    made = Stack(redis, folder, {**os.environ, **given}, str(target))
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        redis.kill()
