"""All that is said of the runs of a function: what starts them, which of them, when, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

from stepwell.functions.cancelling import CancelOn
from stepwell.functions.concurrency import Concurrency
from stepwell.functions.errors import InvalidControl
from stepwell.functions.gathering import Batch, Debounce
from stepwell.functions.limits import Idempotency, Timeouts
from stepwell.functions.ordering import Fairness, Priority
from stepwell.functions.starts import RateLimit, Singleton, Throttle


@dataclass(frozen=True, slots=True)
class Controls:
    """All controls of one function.

    Args:
        concurrency: how many runs may execute at once.
        cancel_on: events that cancel runs.
        timeouts: how long runs may take.
        idempotency: which events start only one run.
        throttle: how often runs begin; those beyond wait.
        rate_limit: how often runs are started; events beyond start nothing.
        debounce: how long events have to stop for the last one to start a run.
        batch: how many events start one run together.
        priority: which runs execute first.
        singleton: whether a run is started beside one that is under way.
        fairness: whose runs take turns.

    Raises:
        InvalidControl: two of them cannot be together.
    """

    concurrency: tuple[Concurrency, ...] = ()
    cancel_on: tuple[CancelOn, ...] = ()
    timeouts: Timeouts | None = None
    idempotency: Idempotency | None = None
    throttle: Throttle | None = None
    rate_limit: RateLimit | None = None
    debounce: Debounce | None = None
    batch: Batch | None = None
    priority: Priority | None = None
    singleton: Singleton | None = None
    fairness: Fairness | None = None

    def __post_init__(self) -> None:
        if self.debounce is not None and self.batch is not None:
            raise InvalidControl(
                "debounce= and batch= gather the same events in two ways: leave out debounce= to get all of them, "
                "or batch= to get the last one"
            )
