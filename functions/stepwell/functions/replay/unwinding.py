"""Taking a handler down after its ending was decided.

From the top: the main task is cancelled first, and cancels what it awaits. Cancelling the futures at the bottom
instead would let code such as `asyncio.wait` go on as though its waits had ended.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from stepwell.functions.replay.branches import Branches
from stepwell.functions.replay.decision import Decision
from stepwell.functions.replay.ownership import AnyTask

PATIENCE_SECONDS: Final = 10.0
TICKS: Final = 4


async def unwind(branches: Branches, decision: Decision) -> None:
    """Cancels all tasks of a run and waits for their `finally` blocks, but not for ever."""
    main = branches.main
    if main is not None and not main.done():
        main.cancel()
        await _ended({main}, decision)
    rest = set(branches.live)
    for task in rest:
        task.cancel()
    await _ended(rest, decision)
    for task in rest if main is None else rest | {main}:
        _drop(task, decision.hopeless)


async def _ended(tasks: set[AnyTask], decision: Decision) -> None:
    # Nearly all end within a tick or two, which is cheaper to wait for than to be told of.
    for _ in range(TICKS):
        if all(task.done() for task in tasks):
            return
        await asyncio.sleep(0)
    if not decision.hopeless:
        await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)


def _drop(task: AnyTask, hopeless: bool) -> None:
    """Nobody wants to hear what became of it."""
    if task.done():
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()
        return
    setattr(task, "_log_destroy_pending", False)  # noqa: B010 - not in the type stubs
    if hopeless:
        # The loop, when it closes, would wait for ever for a task that swallows each cancellation.
        asyncio._unregister_task(task)  # pyright: ignore[reportPrivateUsage]
