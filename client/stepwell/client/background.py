"""An event loop in a thread of its own, for callers that have none to await in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """Runs coroutines for threads that wait for them; the thread is a daemon and dies with its process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_live, args=[self._loop], name="stepwell-client", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it can run anything; not after `end`, nor in a process that was forked from its own."""
        return self._thread.is_alive()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. Blocks the calling thread, and cancels the work if the wait is interrupted."""
        return _result(asyncio.run_coroutine_threadsafe(work, self._loop))

    def end(self, last: Coroutine[Any, Any, None]) -> None:
        """Run `last`, then end the loop and its thread. Waits for it, except in that thread itself."""
        future = asyncio.run_coroutine_threadsafe(self._ending(last), self._loop)
        # The collector may drop a client in any thread, and so in this one.
        if threading.current_thread() is not self._thread:
            _result(future)
            self._thread.join()

    async def _ending(self, last: Coroutine[Any, Any, None]) -> None:
        try:
            await last
        finally:
            self._loop.call_soon(self._loop.stop)  # not at once: in the turn that tells who waits


def _live(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
