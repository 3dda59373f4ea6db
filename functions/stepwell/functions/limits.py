"""How long a run may take, and how often one is started for the same thing."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.functions.bounds import check_expression, length, length_if_any, only
from stepwell.functions.durations import Duration
from stepwell.functions.errors import InvalidControl


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long runs may take; one that takes longer is cancelled.

    Args:
        start: from when the run was created until it first executes.
        finish: from when it first executes until its end.

    Raises:
        InvalidControl: neither is given, or one is no duration above zero.
    """

    start: Duration | None = None
    finish: Duration | None = None

    def __post_init__(self) -> None:
        if self.start is None and self.finish is None:
            raise InvalidControl('Timeouts: write start= or finish= or both: Timeouts(start="1h", finish="1d")')
        length_if_any("Timeouts: start", self.start)
        length_if_any("Timeouts: finish", self.finish)

    @property
    def start_ms(self) -> int | None:
        """`start` in ms."""
        return length_if_any("Timeouts: start", self.start)

    @property
    def finish_ms(self) -> int | None:
        """`finish` in ms."""
        return length_if_any("Timeouts: finish", self.finish)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Events for which `key` has the same value start one run in `period`.

    Args:
        key: an expression over `event`, such as "event.data.id".
        period: counted from the event that started the run.

    Raises:
        InvalidControl: the key is no text, or the period is no duration above zero.
    """

    key: str
    period: Duration = "24h"

    def __post_init__(self) -> None:
        check_expression("Idempotency", "key", self.key, "event.data.id")
        length("Idempotency: period", self.period)

    @property
    def period_ms(self) -> int:
        """`period` in ms."""
        return length("Idempotency: period", self.period)


def timeouts(given: Timeouts | None) -> Timeouts | None:
    """What `timeouts=` means.

    Raises:
        InvalidControl: it is no `Timeouts`.
    """
    return only(Timeouts, given, 'timeouts=Timeouts(start="1h", finish="1d")')


def idempotency(given: str | Idempotency | None) -> Idempotency | None:
    """What `idempotency=` means; a bare text is a key.

    Raises:
        InvalidControl: it is neither.
    """
    if given is None or isinstance(given, Idempotency):
        return given
    return Idempotency(given)
