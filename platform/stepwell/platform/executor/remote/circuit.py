"""Whether an app that is called over HTTP is there at the moment."""

import asyncio
from collections.abc import Callable

from stepwell.platform.clock import Clock

SHORTEST, LONGEST = 1.0, 30.0
"""Seconds for which an app that cannot be reached is left alone."""
ALL = 1 << 30


class Circuit:
    """Open while an app cannot be reached: then none of its runs is leased, and one at a time finds out.

    M. Nygard, "Release It!", 2007: circuit breaker.

    Args:
        clock: tells since when.
        stir: called when it may be tried again.
    """

    __slots__ = ("_clock", "_failed", "_open", "_pause", "_stir", "_timer", "since", "why")

    def __init__(self, clock: Clock, stir: Callable[[], None]) -> None:
        self.why = ""
        self.since = 0
        self._clock = clock
        self._stir = stir
        self._pause = SHORTEST
        self._open = False
        self._failed: dict[str, int] = {}  # run -> how often in a row it could not reach the app
        self._timer: asyncio.TimerHandle | None = None

    @property
    def bound(self) -> int:
        """How many runs may be leased."""
        return 0 if self._open else 1 if self.why else ALL

    def broke(self, why: str, run: str) -> int:
        """The app could not be reached; gives how often in a row that was so for the run."""
        if not self.why:
            self.since = self._clock.now()
            self._pause = SHORTEST
        self.why = why
        if not self._open:
            self._open = True
            self._timer = asyncio.get_running_loop().call_later(self._pause, self._try)
            self._pause = min(self._pause * 2, LONGEST)
        self._failed[run] = self._failed.get(run, 0) + 1
        return self._failed[run]

    def holds(self, run: str) -> None:
        """The app has answered."""
        self.forget(run)
        if self.why:
            self.why, self.since = "", 0
            self._close()

    def forget(self, run: str) -> None:
        """A run has ended, or begins anew."""
        self._failed.pop(run, None)

    def close(self) -> None:
        """Is not needed any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _try(self) -> None:
        self._open = False
        self._stir()

    def _close(self) -> None:
        self.close()
        self._try()
