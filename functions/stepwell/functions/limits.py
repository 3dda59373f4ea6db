"""How long a run may take, and how often one is started for the same thing."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.functions.conditions import unreadable
from stepwell.functions.durations import Duration, milliseconds
from stepwell.functions.errors import InvalidControl, InvalidDuration


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
        length("Timeouts: start", self.start)
        length("Timeouts: finish", self.finish)

    @property
    def start_ms(self) -> int | None:
        """`start` in ms."""
        return length("Timeouts: start", self.start)

    @property
    def finish_ms(self) -> int | None:
        """`finish` in ms."""
        return length("Timeouts: finish", self.finish)


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
        wrong = unreadable("key", self.key) or ("" if self.key else "key is an expression, such as 'event.data.id'")
        if wrong:
            raise InvalidControl(f"Idempotency: {wrong}")
        if self.period is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise InvalidControl('Idempotency: period is a duration, such as "24h", not None')
        length("Idempotency: period", self.period)

    @property
    def period_ms(self) -> int:
        """`period` in ms."""
        return milliseconds(self.period)


def timeouts(given: Timeouts | None) -> Timeouts | None:
    """What `timeouts=` means.

    Raises:
        InvalidControl: it is no `Timeouts`.
    """
    if given is not None and not isinstance(given, Timeouts):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidControl(f'timeouts= is Timeouts(start="1h", finish="1d"), not {given!r:.100}')
    return given


def idempotency(given: str | Idempotency | None) -> Idempotency | None:
    """What `idempotency=` means; a bare text is a key.

    Raises:
        InvalidControl: it is neither.
    """
    if given is None or isinstance(given, Idempotency):
        return given
    return Idempotency(given)


def length(what: str, given: Duration | None) -> int | None:
    """A duration in ms, or None.

    Args:
        what: is as long, for errors.
        given: text, timedelta or seconds.

    Raises:
        InvalidControl: it cannot be read, or is zero.
    """
    if given is None:
        return None
    try:
        found = milliseconds(given)
    except InvalidDuration as error:
        raise InvalidControl(f"{what}: {error}") from None
    if not found:
        raise InvalidControl(f"{what} is longer than nothing, not {given!r:.100}")
    return found
