"""Whether a run can only go on when a durable wait ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum
from typing import cast

from stepwell.functions.replay.awaiting import Presumed, Unknown, awaited, joined
from stepwell.functions.replay.branches import Branches, waiter_of
from stepwell.functions.replay.ownership import AnyFuture, AnyTask
from stepwell.functions.replay.timers import timed
from stepwell.functions.replay.waits import Waits


class State(Enum):
    """What a look at the tasks says."""

    BLOCKED = "blocked"  # all it awaits are durable waits
    PRESUMED = "presumed"  # so it is if the locks and queues it awaits are the run's own
    RUNNABLE = "runnable"  # something goes on within the next ticks


@dataclass(frozen=True, slots=True)
class Resident:
    """Something goes on by itself, outside the record: look again when `watch` is done."""

    watch: AnyFuture


class Look:
    """One look at what the main task waits for, and what that waits for, down to durable waits.

    Args:
        branches: the tasks of the run.
        waits: its durable waits.
    """

    __slots__ = ("_branches", "_presumed", "_seen", "_todo", "_waits")

    def __init__(self, branches: Branches, waits: Waits) -> None:
        self._branches = branches
        self._waits = waits
        self._presumed = False
        self._seen: set[AnyFuture] = set()
        self._todo: list[AnyFuture] = [branches.main] if branches.main is not None else []

    def state(self) -> State | Resident:
        """The verdict."""
        while self._todo:
            future = self._todo.pop()
            if future in self._seen or future in self._waits.by_future:
                continue
            self._seen.add(future)
            found = self._visit(future)
            if found is not None:
                return found
        return State.PRESUMED if self._presumed else State.BLOCKED

    def _visit(self, future: AnyFuture) -> State | Resident | None:
        if future.done():
            return State.RUNNABLE
        if isinstance(future, asyncio.Task):
            return self._task(future)
        parts = joined(future)
        return Resident(future) if parts is None else self._join(parts)

    def _task(self, task: AnyTask) -> State | Resident | None:
        if task is not self._branches.main and task not in self._branches.live:
            return Resident(task)
        waiter = waiter_of(task)
        if waiter is None or waiter.done():
            return State.RUNNABLE
        if self._timed(task, waiter):
            return Resident(waiter)
        if waiter in self._waits.by_future:
            return None
        return self._follow(task, waiter)

    def _follow(self, task: AnyTask, waiter: AnyFuture) -> State | Resident | None:
        parts = awaited(task, waiter)
        if isinstance(parts, Unknown):
            return Resident(waiter)
        if not isinstance(parts, Presumed):
            return self._join(parts)
        if not self._presumed:
            self._presumed = True
            self._todo.extend(self._branches.live)
        return None

    def _join(self, parts: object) -> State | None:
        pending = [part for part in cast("list[AnyFuture]", parts) if not part.done()]
        self._todo.extend(pending)
        return None if pending else State.RUNNABLE

    def _timed(self, task: AnyTask, waiter: AnyFuture) -> bool:
        wait = self._waits.by_future.get(waiter)
        if wait is None:
            return timed(task)
        # While a task stays in one wait its frames do not change, and a run may have a thousand of them.
        if wait.timed is None:
            wait.timed = timed(task)
        return wait.timed
