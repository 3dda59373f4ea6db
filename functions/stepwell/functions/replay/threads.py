"""Threads for handlers and step bodies that are plain `def`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, Final

from stepwell.functions.replay.crossing import Crossing

DEFAULT_THREADS: Final = 32
Call = Callable[[], Any]


class Threads:
    """The threads of one worker, shared by its executions.

    They are daemons: a body that never returns must not keep the process from ending.

    Args:
        limit: step bodies at once, and `def` handlers the worker should lease at once. Branches of `step.parallel`
            come on top: a handler waits for them, so they may not have to wait for a handler.
        freed: called in the event loop whenever a handler has ended.
    """

    __slots__ = ("_bodies", "_crossing", "_freed", "_handlers", "_handling", "limit")

    def __init__(self, limit: int = DEFAULT_THREADS, freed: Callable[[], None] | None = None) -> None:
        self.limit = limit
        self._freed = freed
        self._bodies = Pool("stepwell-body", limit)
        self._handlers = Pool("stepwell-handler", None)
        self._handling = 0
        self._crossing: Crossing | None = None

    @property
    def free(self) -> int:
        """How many more runs of `def` handlers may be leased."""
        return max(0, self.limit - self._handling)

    def crossing(self, loop: asyncio.AbstractEventLoop) -> Crossing:
        """The way from these threads into a loop."""
        if self._crossing is None or self._crossing.loop is not loop:
            self._crossing = Crossing(loop)
        return self._crossing

    def call(self, loop: asyncio.AbstractEventLoop, function: Call) -> asyncio.Future[tuple[Any, BaseException | None]]:
        """Calls a function in a thread, in a copy of this context; gives its result, or its error."""
        future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        crossing, context = self.crossing(loop), copy_context()
        self._bodies.submit(lambda: crossing.post(_resolver(future), context.run(attempt, function)))
        return future

    def handle(self, work: Call) -> None:
        """Runs a handler, or a branch of one, in a thread of its own."""
        self._handling += 1
        self._handlers.submit(work)

    def handled(self) -> None:
        """A handler, or branch, has ended."""
        self._handling -= 1
        if self._freed is not None:
            self._freed()

    def close(self) -> None:
        """Lets idle threads end; those at work end after it."""
        self._bodies.close()
        self._handlers.close()


class Pool:
    """Threads that are started when there is work and none is idle.

    Args:
        name: of the threads.
        most: how many; None for no limit.
    """

    __slots__ = ("_closed", "_count", "_lock", "_most", "_name", "_spare", "_work")

    def __init__(self, name: str, most: int | None) -> None:
        self._name = name
        self._most = most
        self._work: SimpleQueue[Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._spare = 0  # idle threads less work that waits
        self._count = 0
        self._closed = False

    def submit(self, work: Call) -> None:
        """Has a thread call `work`, which must not raise."""
        self._work.put(work)
        with self._lock:
            self._spare -= 1
            start = self._spare < 0 and (self._most is None or self._count < self._most)
            self._count += start
        if start:
            threading.Thread(target=self._live, name=f"{self._name}-{self._count}", daemon=True).start()

    def close(self) -> None:
        """Ends the threads after the work that waits."""
        self._closed = True
        for _ in range(self._count):
            self._work.put(None)

    def _live(self) -> None:
        while not self._closed or not self._work.empty():
            with self._lock:
                self._spare += 1
            work = self._work.get()
            if work is None:
                return
            work()
            del work  # an idle thread holds on to nothing


def attempt(function: Call) -> tuple[Any, BaseException | None]:
    """What a call gave, or what it raised."""
    try:
        return function(), None
    except BaseException as error:
        return None, error


def _resolver(future: asyncio.Future[Any]) -> Callable[[Any], None]:
    def resolve(result: Any) -> None:
        if not future.done():
            future.set_result(result)

    return resolve
