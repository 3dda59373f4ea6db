"""How often a function is started, and whether beside a run that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from stepwell.functions.bounds import WEEK, check_count, check_key, check_word, length, only
from stepwell.functions.durations import Duration

Mode = Literal["skip", "cancel"]
MOST_STARTS: Final = 10_000
"""In the period of a `RateLimit`."""


@dataclass(frozen=True, slots=True)
class Throttle:
    """Runs begin to execute evenly spread, `limit` in a `period`; those beyond wait for their turn.

    Args:
        limit: 1 to 1,000,000,000.
        period: at most 7 days.
        burst: how many may begin at once after a pause; 1 to 1,000,000,000.
        key: an expression over `event`: the limit then holds for each value apart.

    Raises:
        InvalidControl: a value is out of its range.
    """

    limit: int
    period: Duration
    burst: int = 1
    key: str | None = None

    def __post_init__(self) -> None:
        check_count("Throttle: limit", self.limit)
        length("Throttle: period", self.period, WEEK)
        check_count("Throttle: burst", self.burst)
        check_key("Throttle", self.key)

    @property
    def period_ms(self) -> int:
        """`period` in ms."""
        return length("Throttle: period", self.period, WEEK)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` runs are started in a `period`; events beyond that are kept and start nothing.

    Args:
        limit: 1 to 10,000.
        period: at most 7 days.
        key: an expression over `event`: the limit then holds for each value apart.

    Raises:
        InvalidControl: a value is out of its range.
    """

    limit: int
    period: Duration
    key: str | None = None

    def __post_init__(self) -> None:
        check_count("RateLimit: limit", self.limit, most=MOST_STARTS)
        length("RateLimit: period", self.period, WEEK)
        check_key("RateLimit", self.key)

    @property
    def period_ms(self) -> int:
        """`period` in ms."""
        return length("RateLimit: period", self.period, WEEK)


@dataclass(frozen=True, slots=True)
class Singleton:
    """At most one run has not ended yet; a sleeping or waiting one counts as well.

    Args:
        key: an expression over `event`: there is then one for each value.
        mode: what an event does that comes meanwhile: "skip" starts nothing, "cancel" starts a run and cancels the
            one that is under way.

    Raises:
        InvalidControl: the key is no text, or the mode neither of the two.
    """

    key: str | None = None
    mode: Mode = "skip"

    def __post_init__(self) -> None:
        check_key("Singleton", self.key)
        check_word("Singleton: mode", self.mode, get_args(Mode))


def throttle(given: Throttle | None) -> Throttle | None:
    """What `throttle=` means. Raises `InvalidControl` when it is no `Throttle`."""
    return only(Throttle, given, 'throttle=Throttle(10, "1m")')


def rate_limit(given: RateLimit | None) -> RateLimit | None:
    """What `rate_limit=` means. Raises `InvalidControl` when it is no `RateLimit`."""
    return only(RateLimit, given, 'rate_limit=RateLimit(10, "1m")')


def singleton(given: Singleton | None) -> Singleton | None:
    """What `singleton=` means. Raises `InvalidControl` when it is no `Singleton`."""
    return only(Singleton, given, 'singleton=Singleton("event.data.customer")')
