"""Time. The only file that reads the wall clock; everything else is given a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time in ms UTC, to Python and to scripts."""

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        ...

    def argument(self) -> str:
        """What scripts get as `now`: empty makes them use the time of Redis."""
        ...


class SystemClock:
    """The time of this machine for ids and logs; scripts use the time of Redis, the only one that decides anything."""

    __slots__ = ()

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def argument(self) -> str:
        """Empty: scripts use the time of Redis."""
        return ""


class ManualClock:
    """A clock that moves only when told to, for tests: `start` and every answer in ms UTC."""

    __slots__ = ("_now",)

    def __init__(self, start: int = 1_767_225_600_000) -> None:
        self._now = start

    def now(self) -> int:
        """Milliseconds since 1970, UTC."""
        return self._now

    def argument(self) -> str:
        """The manual time, so that scripts live in it too."""
        return str(self._now)

    def advance(self, ms: int) -> None:
        """Moves the time forward by `ms` milliseconds."""
        self._now += ms
