"""The life of one worker of a test: what its runs are doing, and when it dies."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

from stepwell.platform.testing.faults import Faults, Moment
from stepwell.platform.testing.progress import Progress

EXECUTING: Final[ContextVar[str]] = ContextVar("stepwell-executing")
"""Id of the run that the code at hand belongs to."""


class Life:
    """One worker's life. Dead once, nothing more is recorded by it.

    Args:
        faults: planned for its runs.
        progress: told of what goes on.
        on_death: called once.
    """

    __slots__ = ("_faults", "_on_death", "_progress", "_under_way", "dead")

    def __init__(self, faults: Faults, progress: Progress, on_death: Callable[[], None]) -> None:
        self.dead = False
        self._faults = faults
        self._progress = progress
        self._on_death = on_death
        self._under_way: dict[str, dict[str, None]] = {}

    def steps_of(self, run: str) -> list[str]:
        """Keys of the steps whose bodies a run is executing."""
        return list(self._under_way.get(run, ()))

    def begin(self, function: str, step: str) -> None:
        """A body is about to run. Raises what was planned instead, or that the worker is dead, which nobody hears."""
        if self.dead:
            raise RuntimeError("the worker of this run is dead")
        self._under_way.setdefault(EXECUTING.get(), {})[step] = None
        self._progress.note()
        error = self._faults.error_at(function, step)
        if error is not None:
            raise error.with_traceback(None)

    def end(self, run: str, step: str) -> None:
        """What came of a step is recorded."""
        self._under_way.get(run, {}).pop(step, None)
        self._progress.note()

    def let_go(self, run: str) -> None:
        """The run is not here any more."""
        self._under_way.pop(run, None)
        self._progress.let_go()

    async def survive(self) -> None:
        """Goes no further when the worker is dead."""
        if self.dead:
            await asyncio.get_running_loop().create_future()

    async def pass_by(self, moment: Moment, function: str, step: str) -> None:
        """The same, and dies if that was planned for this step."""
        if not self.dead and self._faults.dies_at(moment, function, step):
            self.dead = True
            self._on_death()
        await self.survive()
