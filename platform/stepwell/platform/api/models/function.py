"""Functions, as the API tells of them."""

from pydantic import Field

from stepwell.functions.protocol import (
    BatchManifest,
    ConcurrencyManifest,
    CronManifest,
    DebounceManifest,
    FairnessManifest,
    IdempotencyManifest,
    PriorityManifest,
    RateLimitManifest,
    RetriesManifest,
    SingletonManifest,
    ThrottleManifest,
    TriggerManifest,
)
from stepwell.platform.api.models.answer import Answer


class Pause(Answer):
    """That a function is paused."""

    mode: str = Field(description="keep: all its runs wait; hold: those that have not begun; drop: no more are started")
    since: int


class Function(Answer):
    """A function as its app registered it."""

    id: str = Field(description="as app/function")
    app: str
    version: str
    triggers: list[TriggerManifest | CronManifest]
    retries: RetriesManifest
    concurrency: list[ConcurrencyManifest]
    throttle: ThrottleManifest | None = None
    rate_limit: RateLimitManifest | None = None
    debounce: DebounceManifest | None = None
    batch: BatchManifest | None = None
    priority: PriorityManifest | None = None
    singleton: SingletonManifest | None = None
    fairness: FairnessManifest | None = None
    idempotency: IdempotencyManifest | None = None
    paused: Pause | None = Field(default=None, description="null when it is not")
    runs: int = Field(description="that are kept")
    workers: int = Field(description="that listen for its runs")
