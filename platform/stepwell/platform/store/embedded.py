"""The embedded server: found when it runs, started and kept alive when it does not."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.settings import Settings
from stepwell.platform.store.binary import find_program
from stepwell.platform.store.connection import BACKOFF
from stepwell.platform.store.household import Household, url_in

T = TypeVar("T")
Condition: TypeAlias = Literal["ready", "loading", "silent"]

LAUNCH = Path(__file__).with_name("launch.py")
POLL_SECONDS = 0.02
INHERIT_SECONDS = 0.2
SILENCE_SECONDS = 15.0
FAREWELL_SECONDS = 15.0


async def address_of(settings: Settings) -> str:
    """The Redis of the settings, else the server that runs in the data directory.

    Raises `StoreMisconfigured` when there is neither.
    """
    if settings.redis_url:
        return settings.redis_url
    url = url_in(settings.data_dir)
    if url is None or await condition_of(url) == "silent":
        raise StoreMisconfigured(
            f"no server runs in the data directory {settings.data_dir}, and STEPWELL_REDIS_URL is not set",
            "Start `stepwell dev` there, or set STEPWELL_REDIS_URL",
        )
    return url


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncGenerator[Settings]:
    """The settings with the address of a server that answers.

    That is the one the settings name; else the one that runs in the data directory, which is taken over when whoever
    has started it ends; else one started there, restarted should it die, and stopped at the end.

    Raises `StoreMisconfigured` when no server can be found, started, or reached.
    """
    if settings.redis_url:
        yield settings
        return
    home = Household.of(settings.data_dir)
    lock = await occupy(home)
    if isinstance(lock, str):
        structlog.get_logger("stepwell.store").warning("shares the data directory with others", folder=str(home.folder))
        async with heir(home, settings):
            yield settings.model_copy(update={"redis_url": lock})
        return
    async with supervised(home, settings, lock) as server:
        yield settings.model_copy(update={"redis_url": server.url})


@asynccontextmanager
async def supervised(home: Household, settings: Settings, lock: int) -> AsyncGenerator["Supervisor"]:
    """A server that runs meanwhile, and the lock that is given back after it."""
    try:
        async with Supervisor(home, find_program(settings.embedded_binary), settings, lock) as server:
            yield server
    finally:
        os.close(lock)


@asynccontextmanager
async def heir(home: Household, settings: Settings) -> AsyncGenerator[None]:
    """Takes the server over, at the same address, should whoever has started it end meanwhile."""
    waiting = asyncio.create_task(inherit(home, settings))
    try:
        yield
    finally:
        while not waiting.done():
            # Whatever is under way there may swallow a cancellation at its end.
            waiting.cancel()
            await asyncio.wait([waiting], timeout=POLL_SECONDS)


async def inherit(home: Household, settings: Settings) -> None:
    """Waits for the data directory to be free, then runs a server in it until cancelled."""
    while (lock := home.lock()) is None:  # noqa: ASYNC110  # a lock of another process tells nobody
        await asyncio.sleep(INHERIT_SECONDS)
    try:
        async with supervised(home, settings, lock):
            await asyncio.Event().wait()
    except StoreMisconfigured as error:
        # Nobody waits for this: without a word, all that would be seen is a Redis that is out of reach.
        structlog.get_logger("stepwell.store").error(
            "server not taken over", folder=str(home.folder), reason=str(error)
        )


async def occupy(home: Household) -> int | str:
    """The lock of the data directory; or the address of the server that runs there, once it answers."""
    ends = asyncio.get_running_loop().time() + SILENCE_SECONDS
    while asyncio.get_running_loop().time() < ends:
        lock = home.lock()
        if lock is not None:
            return lock
        url = url_in(home.folder)
        if url is not None and await condition_of(url) != "silent":
            return url
        await asyncio.sleep(POLL_SECONDS)
    raise StoreMisconfigured(
        f"the data directory {home.folder} is in use, but no server answers at {home.socket}",
        f"See {home.log}; end the process that holds {home.folder / 'redis.lock'} open",
    )


async def condition_of(url: str) -> Condition:
    """Whether a server answers there, which is found out within a few seconds also by who is cancelled meanwhile."""
    # A client that is cancelled while it connects, and again while it hangs up, leaves its connection open.
    return await to_its_end(_condition_of(url))


async def _condition_of(url: str) -> Condition:
    once = Retry(NoBackoff(), 0)
    async with Redis.from_url(url, protocol=2, socket_timeout=2, socket_connect_timeout=2, retry=once) as client:
        try:
            await client.ping()
        except BusyLoadingError:
            return "loading"
        except (RedisError, OSError):
            return "silent"
    return "ready"


async def to_its_end(work: Coroutine[None, None, T]) -> T:
    """Awaits it; who is cancelled meanwhile, once or often, is so when it is done: nothing is ever half begun."""
    task, cancelled = asyncio.create_task(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


class Supervisor:
    """Runs one server, and starts it again when it dies.

    Args:
        home: the files of the server.
        program: what to run.
        settings: what its configuration follows.
        lock: descriptor that holds the data directory.
    """

    def __init__(self, home: Household, program: Path, settings: Settings, lock: int) -> None:
        self._home = home
        self._program = program
        self._lock = lock
        self._log = structlog.get_logger("stepwell.store")
        self.url = home.furnish(settings)
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline = -1
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Supervisor":
        self._home.log.unlink(missing_ok=True)
        try:
            await to_its_end(self._start())
            await self._answering()
        except BaseException:
            await to_its_end(self._stop())
            raise
        self._task = asyncio.create_task(self._supervise())
        return self

    async def __aexit__(self, *exc: object) -> None:
        await to_its_end(self._stop())

    async def _start(self) -> None:
        far, self._lifeline = os.pipe()
        try:
            self._process = await self._spawn(far)
        finally:
            os.close(far)

    async def _spawn(self, lifeline: int) -> asyncio.subprocess.Process:
        how = "signal" if sys.platform == "linux" else "pipe"
        words = [how, os.getpid(), lifeline, self._lock, self._program, self._home.configuration]
        with self._home.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is for us, and we still need the server to drain.
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", str(LAUNCH), *map(str, words)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(lifeline, self._lock),
            )

    async def _answering(self) -> None:
        """Returns when the server answers. Raises `StoreMisconfigured` when it ends, or stays silent."""
        assert self._process is not None
        loop = asyncio.get_running_loop()
        ends = loop.time() + SILENCE_SECONDS
        while (condition := await condition_of(self.url)) != "ready":
            if self._process.returncode is not None or (condition == "silent" and loop.time() > ends):
                raise StoreMisconfigured(
                    f"{self._program} does not start in {self._home.folder}: {self._last_words()}",
                    f"See {self._home.log}; data of a newer server needs that server (STEPWELL_EMBEDDED_BINARY)",
                )
            await asyncio.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        lines = self._home.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-3:]) or "it said nothing"

    async def _supervise(self) -> None:
        failures = 0
        while True:
            assert self._process is not None
            started = asyncio.get_running_loop().time()
            code = await self._process.wait()
            self._log.error("the embedded server died and is started again", code=code, see=str(self._home.log))
            self._let_go()
            failures = failures + 1 if asyncio.get_running_loop().time() - started < SILENCE_SECONDS else 1
            await asyncio.sleep(BACKOFF.compute(failures))
            await self._start_again()

    async def _start_again(self) -> None:
        for failures in count(1):
            try:
                await self._start()
            except OSError as error:
                self._let_go()
                self._log.error("the embedded server cannot be started", reason=str(error))
            else:
                return
            await asyncio.sleep(BACKOFF.compute(failures))

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._process is None:
            self._let_go()
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), FAREWELL_SECONDS)
        except TimeoutError:
            self._log.error("the embedded server does not stop and is killed", seconds=FAREWELL_SECONDS)
            self._process.kill()
            await self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        """Tells the watcher, where there is one, that the server has ended and its number may be someone else's."""
        if self._lifeline < 0:
            return
        with suppress(BrokenPipeError):
            os.write(self._lifeline, b".")
        os.close(self._lifeline)
        self._lifeline = -1
