"""When a failed attempt is tried again.

The delay is spread at random, so that what failed together does not come back together (M. Brooker, "Exponential
Backoff and Jitter", AWS Architecture Blog, 2015).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast, get_args

from stepwell.functions.bounds import check_word
from stepwell.functions.durations import Duration, milliseconds, moment
from stepwell.functions.errors import FunctionsError, InvalidControl, RetryAfter

Backoff = Literal["exponential", "linear", "fixed"]
Jitter = Literal["equal", "full", "none"]
Errors = type[BaseException] | tuple[type[BaseException], ...]
"""An exception type, or several, as `except` takes them."""
DEFAULT_TIMES = 4


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and when a failed step or handler is tried again.

    Args:
        times: tries after the first one, 0 to 100.
        delay: before the first retry; by default 1 s, then 4, 16 and 64 s.
        backoff: how the delay goes on: "exponential" is `factor` times the one before, "linear" `delay` more than it,
            "fixed" the same.
        factor: 1 or more; only for "exponential".
        cap: the longest delay.
        jitter: "equal" draws from the upper half of the delay, "full" from all of it, "none" takes it as it is.
        retry_on: only errors of these types are tried again; by default all are.
        give_up_on: errors of these types are final at once, also those that `retry_on` has.

    `NonRetriable` is always final, and `RetryAfter` is always tried again.

    Raises:
        InvalidControl: a value is out of its range.
        InvalidDuration: delay or cap cannot be read.
    """

    times: int = DEFAULT_TIMES
    delay: Duration = "1s"
    backoff: Backoff = "exponential"
    factor: float = 4.0
    cap: Duration = "1h"
    jitter: Jitter = "equal"
    retry_on: Errors = BaseException
    give_up_on: Errors = ()
    _first: int = field(init=False, repr=False, compare=False)
    _cap: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.times) is not int or not 0 <= self.times <= 100:
            raise InvalidControl(f"Retries: times is an int from 0 to 100, not {self.times!r}")
        if type(self.factor) not in (int, float) or not 1 <= self.factor <= 1000:
            raise InvalidControl(f"Retries: factor is a number from 1 to 1000, not {self.factor!r:.100}")
        check_word("Retries: backoff", self.backoff, get_args(Backoff))
        check_word("Retries: jitter", self.jitter, get_args(Jitter))
        _check_types("retry_on", self.retry_on)
        _check_types("give_up_on", self.give_up_on)
        object.__setattr__(self, "_first", milliseconds(self.delay))
        object.__setattr__(self, "_cap", milliseconds(self.cap))

    def pause(self, attempts: int, draw: Callable[[], float] = random.random) -> int:
        """Delay in ms after so many failed attempts (1 or more); `draw` gives a number in [0, 1)."""
        longest = min(self._cap, self._first * self._growth(attempts))
        fixed = {"none": 1.0, "equal": 0.5, "full": 0.0}[self.jitter]
        return round(longest * (fixed + (1 - fixed) * draw()))

    def _growth(self, attempts: int) -> float:
        match self.backoff:
            case "exponential":
                return self.factor ** (attempts - 1)
            case "linear":
                return attempts
            case "fixed":
                return 1

    def allows(self, error: BaseException) -> bool:
        """Whether the error may be tried again, if tries are left; a group when everything in it may."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.allows(one) for one in cast("BaseExceptionGroup[BaseException]", error).exceptions)
        if isinstance(error, FunctionsError):
            return error.retriable
        return isinstance(error, self.retry_on) and not isinstance(error, self.give_up_on)

    def after(self, error: BaseException, attempts: int, now: int) -> int:
        """Delay in ms before the next attempt: what a `RetryAfter` says, else the backoff's.

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
        return self.pause(attempts)


def retries(given: int | Retries | None) -> Retries:
    """The retry policy that `retries=` means; an int is how often.

    Raises:
        InvalidControl: it is neither.
    """
    if isinstance(given, Retries):
        return given
    return Retries() if given is None else Retries(given)


def _check_types(name: str, given: object) -> None:
    types: tuple[object, ...] = cast("tuple[object, ...]", given) if isinstance(given, tuple) else (given,)
    for one in types:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise InvalidControl(f"Retries: {name} is an exception type or a tuple of them, not {given!r}")
