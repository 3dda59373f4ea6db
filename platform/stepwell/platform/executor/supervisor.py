"""The parent of a worker: keeps a child running, its session alive, and takes back the runs of one that died.

It runs no user code, so nothing that user code does can keep it from beating.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from stepwell.platform.clock import Clock
from stepwell.platform.engine.leases import Leases, SessionDead
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.errand import BAD_TARGET, Command
from stepwell.platform.executor.process import Child
from stepwell.platform.executor.session import new_session_id
from stepwell.platform.settings import Settings
from stepwell.platform.target import BadTarget

BACKOFF = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before a child that died is followed by the next; the first again after one that lived for long."""
LONG = 30.0
SUSPECTS = 5.0
"""Seconds between two looks for suspects; how long a child for them is kept without any."""


class Supervisor:
    """One worker: a child for runs, and now and then one for suspects, which are executed alone.

    Args:
        partitions: over connections of the parent's own.
        clock: for session ids.
        settings: limits.
        target: what the child loads.
        concurrency: runs at once.
        environment: of the child.
        on_ready: called with the functions each time a child for runs is ready.
        on_problem: called with the reason each time the target cannot be loaded; what runs then goes on as it is until
            `replace` is called. Without it, that ends `run`.
    """

    def __init__(
        self,
        partitions: Sequence[Partition],
        clock: Clock,
        settings: Settings,
        target: str,
        concurrency: int,
        environment: Mapping[str, str],
        on_ready: Callable[[list[str]], None] | None = None,
        on_problem: Callable[[str], None] | None = None,
    ) -> None:
        self._partitions = partitions
        self._leases = [
            Leases(partition, int(settings.session_expiry * 1000), settings.crash_limit) for partition in partitions
        ]
        self._clock = clock
        self._settings = settings
        self._target = target
        self._concurrency = concurrency
        self._environment = environment
        self._on_ready = on_ready
        self._on_problem = on_problem
        self._children: set[Child] = set()
        self._replace = asyncio.Event()
        self._stopping = asyncio.Event()

    def replace(self) -> None:
        """Starts a new child; once it is ready, lets the present one finish what it is doing: the code has changed."""
        self._replace.set()

    def stop(self) -> None:
        """Drains the children, and lets `run` return."""
        self._stopping.set()

    async def run(self) -> None:
        """Runs until stopped. Raises `BadTarget` when the target cannot be loaded."""
        async with asyncio.TaskGroup() as group:
            chores = [
                group.create_task(chore) for chore in (self._beat(), self._watch_hanging(), self._watch_suspects(group))
            ]
            try:
                await self._keep_a_child(group)
            finally:
                for chore in chores:
                    chore.cancel()

    # Children.

    async def _keep_a_child(self, group: asyncio.TaskGroup) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        serving: list[Child] = []
        while not self._stopping.is_set():
            self._replace.clear()
            started, child = loop.time(), await self._start(suspects=False)
            group.create_task(self._attend(child))
            await self._until(child.ready, self._stopping)
            if child.problem:
                serving = [other for other in serving if not other.gone.is_set()]
                await self._refuse(child.problem, serving)
                continue
            if child.functions:
                for other in serving:
                    other.drain()
                serving = [child]
                if self._on_ready is not None:
                    self._on_ready(child.functions)
            await self._until(child.gone, self._stopping, self._replace)
            if child.gone.is_set():
                failures = 0 if loop.time() - started > LONG else failures + 1
                await self._pause(BACKOFF[min(failures, len(BACKOFF) - 1)])
        await self._drain_all()

    async def _refuse(self, problem: str, serving: Sequence[Child]) -> None:
        """The target cannot be loaded: waits until it has changed, or what still runs has ended."""
        if self._on_problem is None:
            raise BadTarget(problem)
        self._on_problem(problem)
        await self._until(self._stopping, self._replace, *(child.gone for child in serving))

    async def _start(self, *, suspects: bool) -> Child:
        session = new_session_id(self._clock.now())
        concurrency = 1 if suspects else self._concurrency
        child = await Child.start(self._target, session, concurrency, self._environment, suspects=suspects)
        self._children.add(child)
        return child

    async def _attend(self, child: Child) -> None:
        """Sees a child through to its end, and takes back what it held."""
        code = await child.ended()
        self._children.discard(child)
        if code not in (0, BAD_TARGET) and not child.draining:
            structlog.get_logger().error("worker_died", reason=_ending(code), runs_taken_up_again=child.board.read())
        await self._take_back(child)
        child.gone.set()

    async def _take_back(self, child: Child) -> None:
        executing = child.board.read()
        for leases in self._leases:
            # When Redis stays out of reach the session expires, and the next tick does the same.
            with suppress(StepwellError):
                await leases.reap(child.session, executing, "idle")

    async def _drain_all(self) -> None:
        children = list(self._children)
        for child in children:
            child.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_patience + 3):
                await asyncio.gather(*(child.process.wait() for child in children))
        for child in children:
            child.kill()

    # Chores.

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._settings.session_expiry / 5)
            for child in list(self._children):
                for leases in self._leases:
                    await self._beat_for(child, leases)

    async def _beat_for(self, child: Child, leases: Leases) -> None:
        if child.process.returncode is not None:
            return
        try:
            await leases.beat(child.session)
        except SessionDead:
            structlog.get_logger().error("session_dead", session=child.session)
            child.tell(Command(what="dead"))
        except StepwellError as error:
            structlog.get_logger().warning("beat_failed", error=str(error))

    async def _watch_hanging(self) -> None:
        loop = asyncio.get_running_loop()
        limit = self._settings.hang_limit
        while True:
            before = loop.time()
            await asyncio.sleep(1)
            if loop.time() - before > 3:
                continue  # this process was stopped itself, so it has heard nothing
            for child in [child for child in self._children if child.functions and loop.time() - child.heard > limit]:
                structlog.get_logger().error("worker_hangs", seconds=limit, setting="STEPWELL_HANG_LIMIT")
                child.kill()

    async def _watch_suspects(self, group: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(SUSPECTS)
            functions = {name for child in self._children for name in child.functions}
            with suppress(StepwellError):
                if functions and await self._suspects(functions):
                    await self._serve_suspects(functions, group)

    async def _serve_suspects(self, functions: set[str], group: asyncio.TaskGroup) -> None:
        child = await self._start(suspects=True)
        # Of the group, which sees it through also when this chore is given up meanwhile.
        attending = group.create_task(self._attend(child))
        if self._stopping.is_set():
            child.kill()  # it came too late to be told with the others
        with suppress(StepwellError):
            while not attending.done() and (child.board.read() or await self._suspects(functions)):
                await asyncio.wait({attending}, timeout=SUSPECTS)
        child.drain()
        await attending

    async def _suspects(self, functions: set[str]) -> bool:
        for partition in self._partitions:
            for name in functions:
                if await partition.read("EXISTS", partition.keys.name("k_lanes", f"{name}!")):
                    return True
        return False

    async def _pause(self, seconds: float) -> None:
        if seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    async def _until(self, *events: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
