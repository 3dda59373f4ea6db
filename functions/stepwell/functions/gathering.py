"""One run for several events: for the last of many, or for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stepwell.functions.bounds import (
    WEEK,
    check_count,
    check_expression,
    check_key,
    length,
    length_if_any,
    only,
)
from stepwell.functions.durations import Duration
from stepwell.functions.errors import InvalidControl

MOST_EVENTS: Final = 1000
"""Of a batch."""


@dataclass(frozen=True, slots=True)
class Debounce:
    """A run is started when no event has come for a `period`, for the last one that came.

    Args:
        period: at most 7 days.
        timeout: after which the run is started though events keep coming, counted from the first; at least `period`.
        key: an expression over `event`: events of each value are then gathered apart.

    Raises:
        InvalidControl: a value is out of its range.
    """

    period: Duration
    timeout: Duration | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        period, timeout = self.period_ms, self.timeout_ms
        if timeout is not None and timeout < period:
            raise InvalidControl(
                f"Debounce: timeout is at least as long as period, {self.period!r:.100}, not {self.timeout!r:.100}"
            )
        check_key("Debounce", self.key)

    @property
    def period_ms(self) -> int:
        """`period` in ms."""
        return length("Debounce: period", self.period, WEEK)

    @property
    def timeout_ms(self) -> int | None:
        """`timeout` in ms."""
        return length_if_any("Debounce: timeout", self.timeout)


@dataclass(frozen=True, slots=True)
class Batch:
    """A run is started for up to `max_size` events, `ctx.events`: when there are so many, or after `timeout`.

    Args:
        max_size: 2 to 1,000.
        timeout: counted from the first event of a batch; at most 7 days.
        key: an expression over `event`: events of each value are then gathered apart.
        if_: an expression over `event`; an event for which it is not true starts a run of its own at once.

    Raises:
        InvalidControl: a value is out of its range.
    """

    max_size: int
    timeout: Duration
    key: str | None = None
    if_: str | None = None

    def __post_init__(self) -> None:
        check_count("Batch: max_size", self.max_size, 2, MOST_EVENTS)
        length("Batch: timeout", self.timeout, WEEK)
        check_key("Batch", self.key)
        if self.if_ is not None:
            check_expression("Batch", "if_", self.if_, "event.data.total < 100")

    @property
    def timeout_ms(self) -> int:
        """`timeout` in ms."""
        return length("Batch: timeout", self.timeout, WEEK)

    @property
    def condition(self) -> str:
        """The expression over `event` that is true for what is gathered; "" for every event."""
        return self.if_ or ""


def debounce(given: Debounce | None) -> Debounce | None:
    """What `debounce=` means. Raises `InvalidControl` when it is no `Debounce`."""
    return only(Debounce, given, 'debounce=Debounce("10s", timeout="5m")')


def batch(given: Batch | None) -> Batch | None:
    """What `batch=` means. Raises `InvalidControl` when it is no `Batch`."""
    return only(Batch, given, 'batch=Batch(100, "10s")')
