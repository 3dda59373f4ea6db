"""The tasks of one run, and how they came from each other."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable, Iterator
from typing import Final

from stepwell.functions.replay.ownership import AnyFuture, AnyTask

waiter_of: Final[Callable[[AnyTask], AnyFuture | None]] = operator.attrgetter("_fut_waiter")


class Branch:
    """A task's place in the tree of tasks: who made it, when, and when it ended; in counts of the run's forks and
    ends."""

    __slots__ = ("ended", "forked", "parent")

    def __init__(self, parent: Branch | None, forked: int) -> None:
        self.parent = parent
        self.forked = forked
        self.ended = 0

    def line(self) -> Iterator[Branch]:
        """This branch and those it came from, up to the root."""
        branch: Branch | None = self
        while branch is not None:
            yield branch
            branch = branch.parent


def ordered(earlier: Branch, at: int, later: Branch) -> bool:
    """Whether what `earlier` did when the count was `at` surely came before what `later` does now.

    That is so within one branch, before a fork, and after a join: everything between the first branch and the one
    both came from had ended before the second one was forked.
    """
    if earlier is later:
        return True
    ancestors = {branch: child for child, branch in _pairs(later)}
    ended: list[Branch] = []
    for branch in earlier.line():
        if branch in ancestors:
            child = ancestors[branch]
            if not ended:
                return child is not None and at < child.forked
            return all(one.ended and (child is None or one.ended < child.forked) for one in ended)
        ended.append(branch)
    return False


def _pairs(branch: Branch) -> Iterator[tuple[Branch | None, Branch]]:
    """Each branch of the line with the one below it."""
    child: Branch | None = None
    for one in branch.line():
        yield child, one
        child = one


class Branches:
    """The tasks of one run.

    Args:
        loop: they run on.
        stir: called when a task was made or has ended.
    """

    __slots__ = ("_loop", "_stir", "count", "live", "loose", "main", "root")

    def __init__(self, loop: asyncio.AbstractEventLoop, stir: Callable[[], None]) -> None:
        self._loop = loop
        self.root = Branch(None, 0)
        self.count = 0
        self.main: AnyTask | None = None
        self.live: dict[AnyTask, Branch] = {}  # all but the main task
        self.loose: set[AnyTask] = set()  # those not inside a step
        self._stir = stir

    def lead(self, main: AnyTask) -> None:
        """Takes the task that runs the handler."""
        self.main = main
        self.loose.add(main)

    def adopt(self, task: AnyTask) -> None:
        """Takes a task that a task of the run has made."""
        self.count += 1
        self.live[task] = Branch(self.current(), self.count)
        self.loose.add(task)
        task.add_done_callback(self._end)
        self._stir()

    def current(self) -> Branch:
        """The branch of the code at hand."""
        if not self.live:
            return self.root
        task = asyncio.current_task(self._loop)
        return self.root if task is None else self.live.get(task, self.root)

    def settled(self) -> bool:
        """Whether every task outside a step waits for something."""
        for task in self.loose:
            waiter = waiter_of(task)
            if waiter is None or waiter.done():
                return False
        return True

    def close(self) -> None:
        """Lets go of everything."""
        self.main = None
        self.live.clear()
        self.loose.clear()
        self._stir = _nothing

    def _end(self, task: AnyTask) -> None:
        self.count += 1
        branch = self.live.pop(task, None)
        if branch is not None:
            branch.ended = self.count
        self.loose.discard(task)
        self._stir()


def _nothing() -> None:
    pass
