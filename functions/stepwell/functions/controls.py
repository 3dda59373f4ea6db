"""What limits the runs of a function: how many may be under way, and all else that is said of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from stepwell.functions.cancelling import CancelOn
from stepwell.functions.errors import InvalidControl
from stepwell.functions.limits import Idempotency, Timeouts

PATH: Final = re.compile(r"event\.data(\.[A-Za-z_][A-Za-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Concurrency:
    """At most `limit` runs are executing at once; a run that sleeps or waits does not count.

    Args:
        limit: 1 or more.
        key: a dotted path into the event, such as "event.data.customer": the limit then holds for each value apart.

    Raises:
        InvalidControl: the limit is not a positive int, or the key is not such a path.
    """

    limit: int
    key: str | None = None

    def __post_init__(self) -> None:
        if type(self.limit) is not int or self.limit < 1:
            raise InvalidControl(f"Concurrency: limit is an int of 1 or more, not {self.limit!r}")
        if self.key is not None and not PATH.fullmatch(self.key):
            raise InvalidControl(f'Concurrency: key is a path such as "event.data.customer", not {self.key!r}')


@dataclass(frozen=True, slots=True)
class Controls:
    """All controls of one function.

    Args:
        concurrency: how many runs may execute at once.
        cancel_on: events that cancel runs.
        timeouts: how long runs may take.
        idempotency: which events start only one run.
    """

    concurrency: tuple[Concurrency, ...] = ()
    cancel_on: tuple[CancelOn, ...] = ()
    timeouts: Timeouts | None = None
    idempotency: Idempotency | None = None


def concurrencies(given: int | Concurrency | Iterable[Concurrency] | None) -> tuple[Concurrency, ...]:
    """The concurrency controls of a function; a bare int is a limit without a key.

    Raises:
        InvalidControl: one of them is not a control.
    """
    if given is None:
        return ()
    if isinstance(given, (int, Concurrency)):
        return (_concurrency(given),)
    return tuple(_concurrency(one) for one in given)


def _concurrency(one: int | Concurrency) -> Concurrency:
    if isinstance(one, Concurrency):
        return one
    return Concurrency(one)
