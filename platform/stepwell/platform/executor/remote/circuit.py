"""Whether an app that is called over HTTP is there at the moment."""

import asyncio
from collections.abc import Callable

from stepwell.platform.clock import Clock
from stepwell.platform.engine.cards import Away

SHORTEST, LONGEST = 1.0, 30.0
"""Seconds for which an app that cannot be reached is left alone."""
ALL = 1 << 30
MOST = 10_000
"""Runs of which it is remembered that they could not reach the app; they may have ended elsewhere."""


class Circuit:
    """Open while an app cannot be reached: then none of its runs is leased, and one at a time finds out.

    M. Nygard, "Release It!", 2007: circuit breaker.

    Args:
        clock: tells since when.
        stir: called when it may be tried again.
        told: called when this has changed.
    """

    __slots__ = ("_clock", "_failed", "_open", "_pause", "_stir", "_timer", "_told", "away")

    def __init__(self, clock: Clock, stir: Callable[[], None], told: Callable[[], None]) -> None:
        self.away: Away | None = None
        self._clock = clock
        self._stir = stir
        self._told = told
        self._pause = SHORTEST
        self._open = False
        self._failed: dict[str, int] = {}  # run -> how often in a row it could not reach the app
        self._timer: asyncio.TimerHandle | None = None

    @property
    def bound(self) -> int:
        """How many runs may be leased."""
        return 0 if self._open else 1 if self.away else ALL

    def broke(self, why: str, run: str) -> int:
        """The app could not be reached; gives how often in a row that was so for the run."""
        if not self._open:
            self._wait(why)
        self._failed[run] = self._failed.pop(run, 0) + 1
        if len(self._failed) > MOST:
            self._failed.pop(next(iter(self._failed)))
        return self._failed[run]

    def probed(self) -> None:
        """A run was leased: if that is to find out whether the app is there, no other one is until that is known."""
        if self.away and not self._open:
            self._wait(self.away.why)

    def holds(self, run: str) -> None:
        """The app has answered."""
        self.forget(run)
        self.reached()

    def reached(self) -> None:
        """The app is there: it has a call."""
        if self.away:
            self.away = None
            self._told()
            self._close()

    def forget(self, run: str) -> None:
        """A run has ended, or begins anew."""
        self._failed.pop(run, None)

    def close(self) -> None:
        """Is not needed any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, why: str) -> None:
        now = self._clock.now()
        self._pause = min(self._pause * 2, LONGEST) if self.away else SHORTEST
        self.away = Away(why, self.away.since if self.away else now, now + round(self._pause * 1000))
        self._open = True
        self._timer = asyncio.get_running_loop().call_later(self._pause, self._try)
        self._told()

    def _try(self) -> None:
        self._open = False
        self._stir()

    def _close(self) -> None:
        self.close()
        self._try()
