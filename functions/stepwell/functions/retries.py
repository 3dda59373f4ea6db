"""When a failed attempt is tried again.

The delay grows exponentially and is spread at random, so that what failed together does not come back together (M.
Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast, get_args

from stepwell.functions.durations import Duration, milliseconds, moment
from stepwell.functions.errors import FunctionsError, InvalidControl, RetryAfter

Jitter = Literal["equal", "full", "none"]
DEFAULT_TIMES = 4


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and when a failed step or handler is tried again.

    Args:
        times: tries after the first one, 0 to 100.
        delay: before the first retry; by default 1 s, then 4, 16 and 64 s.
        factor: how much longer each delay is than the one before, 1 or more.
        cap: the longest delay.
        jitter: "equal" draws from the upper half of the delay, "full" from all of it, "none" takes it as it is.

    Raises:
        InvalidControl: a value is out of its range.
        InvalidDuration: delay or cap cannot be read.
    """

    times: int = DEFAULT_TIMES
    delay: Duration = "1s"
    factor: float = 4.0
    cap: Duration = "1h"
    jitter: Jitter = "equal"
    _first: int = field(init=False, repr=False, compare=False)
    _cap: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.times) is not int or not 0 <= self.times <= 100:
            raise InvalidControl(f"Retries: times is an int from 0 to 100, not {self.times!r}")
        if not 1 <= self.factor <= 1000:
            raise InvalidControl(f"Retries: factor is from 1 to 1000, not {self.factor!r}")
        if self.jitter not in get_args(Jitter):
            raise InvalidControl(f'Retries: jitter is "equal", "full" or "none", not {self.jitter!r}')
        object.__setattr__(self, "_first", milliseconds(self.delay))
        object.__setattr__(self, "_cap", milliseconds(self.cap))

    def backoff(self, attempts: int, draw: Callable[[], float] = random.random) -> int:
        """Delay in ms after so many failed attempts (1 or more); `draw` gives a number in [0, 1)."""
        longest = min(self._cap, self._first * self.factor ** (attempts - 1))
        fixed = {"none": 1.0, "equal": 0.5, "full": 0.0}[self.jitter]
        return round(longest * (fixed + (1 - fixed) * draw()))

    def after(self, error: BaseException, attempts: int, now: int) -> int:
        """Delay in ms before the next attempt: what a `RetryAfter` says, else the backoff.

        Args:
            error: why the attempt failed.
            attempts: how many have failed, this one included.
            now: ms UTC, to turn a datetime into a delay; 0 when nobody knows, then a datetime is not honoured.
        """
        if isinstance(error, RetryAfter):
            if not isinstance(error.when, datetime):
                return milliseconds(error.when)
            if now:
                return max(0, moment(error.when) - now)
        return self.backoff(attempts)


def retries(given: int | Retries | None) -> Retries:
    """The retry policy that `retries=` means; an int is how often.

    Raises:
        InvalidControl: it is neither.
    """
    if isinstance(given, Retries):
        return given
    return Retries() if given is None else Retries(given)


def retriable(error: BaseException) -> bool:
    """Whether trying again may help; a group is retriable when everything in it is."""
    if isinstance(error, BaseExceptionGroup):
        return all(retriable(one) for one in cast("BaseExceptionGroup[BaseException]", error).exceptions)
    return error.retriable if isinstance(error, FunctionsError) else True
