"""Ctrl-C and SIGTERM: the first asks to stop, the second insists."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

INTERRUPTED = 130
"""Exit code of a process that was told to stop at once."""


def run(work: Coroutine[Any, Any, int]) -> int:
    """Runs `work` in an event loop of the fastest kind there is; answers its exit code."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def on_signals(stop: Callable[[], object]) -> None:
    """Calls `stop` at the first SIGINT or SIGTERM of the running loop; at the second, ends the process on the spot."""
    asked = False

    def heard() -> None:
        nonlocal asked
        if asked:
            os._exit(INTERRUPTED)
        asked = True
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, heard)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # not everywhere
    except ImportError:
        return None
    return uvloop.new_event_loop
