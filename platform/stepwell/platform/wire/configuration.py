"""What the SDK protocol says of one function, and what it means here."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stepwell.functions.conditions import condition
from stepwell.functions.protocol import CronManifest, TriggerManifest
from stepwell.platform.wire.durations import milliseconds

T = TypeVar("T")
DAY = 86_400_000
BATCH_TIMEOUT = 60_000
"""Ms that a batch waits for more events when it does not say."""


def _lowered(value: Any) -> Any:
    """Keys as the SDK protocol compares them: without regard to case."""
    if not isinstance(value, dict):
        return value
    return {str(key).lower(): inner for key, inner in cast(Any, value).items()}


class Given(BaseModel):
    """Base of what SDKs send: keys of any case; what is not known is ignored."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=lambda name: name.replace("_", ""), validate_by_name=False
    )

    _lower = model_validator(mode="before")(_lowered)


def _many(value: Any) -> Any:
    return cast(Any, value) if isinstance(value, list) or value is None else [value]


def _limit(value: Any) -> Any:
    return {"limit": value} if isinstance(value, int) else value


def _all_limits(value: Any) -> Any:
    return [_limit(one) for one in cast(Any, _many(value) or [])]


def _none_is(default: Callable[[], T]) -> BeforeValidator:
    return BeforeValidator(lambda value: default() if value is None else value)


Duration = Annotated[int, BeforeValidator(milliseconds)]
"""A text that becomes ms."""
Text = Annotated[str, _none_is(str)]


class Trigger(Given):
    """An event or a schedule."""

    event: str | None = None
    expression: Text = ""
    cron: str | None = None
    jitter: Duration | None = None

    def manifest(self) -> TriggerManifest | CronManifest:
        """As a trigger of ours."""
        if self.cron is None:
            return TriggerManifest(event=self.event or "", if_=self.expression)
        zone, text = _zone(self.cron)
        return CronManifest(cron=text, tz=zone, jitter=self.jitter or 0)


def _zone(cron: str) -> tuple[str, str]:
    first, _, rest = cron.strip().partition(" ")
    name, equals, zone = first.partition("=")
    return (zone, rest.strip()) if equals and name in ("TZ", "CRON_TZ") else ("UTC", cron.strip())


class Retries(Given):
    """Tries after the first."""

    attempts: int | None = None


class Runtime(Given):
    """How the function is called."""

    type: Text = "http"
    url: str


class Step(Given):
    """The one step that every function is registered with: the function itself."""

    runtime: Runtime
    retries: Retries | None = None


class Concurrency(Given):
    """Slots."""

    limit: int
    key: str | None = None
    scope: Literal["fn", "env", "account"] | None = None

    def manifest(self) -> dict[str, Any]:
        """As a control of ours. What is shared is known by its key, and so gets a name from that."""
        if self.scope in (None, "fn"):
            return {"limit": self.limit, "key": self.key or None}
        digits = blake2b(f"{self.scope} {self.key or ''}".encode(), digest_size=8).hexdigest()
        return {
            "limit": self.limit,
            "key": self.key or None,
            "scope": "environment",
            "name": f"{self.scope}-{digits}",
        }


class Throttle(Given):
    """How often runs begin."""

    limit: int
    period: Duration
    burst: int | None = None
    key: str | None = None

    def manifest(self) -> dict[str, Any]:
        """As a control of ours."""
        return {"limit": self.limit, "period": self.period, "burst": self.burst or 1, "key": self.key or None}


class RateLimit(Given):
    """How often runs are started."""

    limit: int
    period: Duration
    key: str | None = None

    def manifest(self) -> dict[str, Any]:
        """As a control of ours."""
        return {"limit": self.limit, "period": self.period, "key": self.key or None}


class Debounce(Given):
    """The last of many events."""

    period: Duration
    timeout: Duration | None = None
    key: str | None = None

    def manifest(self) -> dict[str, Any]:
        """As a control of ours."""
        return {"period": self.period, "timeout": self.timeout, "key": self.key or None}


class Batch(Given):
    """Several events together."""

    max_size: int
    timeout: Duration | None = None
    key: str | None = None
    if_: Text = Field(default="", alias="if")

    def manifest(self) -> dict[str, Any]:
        """As a control of ours."""
        timeout = BATCH_TIMEOUT if self.timeout is None else self.timeout
        return {"max_size": self.max_size, "timeout": timeout, "key": self.key or None, "if": self.if_}


class Priority(Given):
    """Which runs go first."""

    run: str | None = None


class Cancel(Given):
    """An event that cancels; `match` is how older SDKs write a condition."""

    event: str
    if_: str | None = Field(default=None, alias="if")
    match: str | None = None
    timeout: Duration | None = None

    def manifest(self) -> dict[str, Any]:
        """As a control of ours."""
        text = condition(None if self.if_ else self.match or None, self.if_)
        return {"event": self.event, "if": text, "within": self.timeout}


class Singleton(Given):
    """One run at a time."""

    key: str | None = None
    mode: Literal["skip", "cancel"] | None = None

    def manifest(self) -> dict[str, Any]:
        """As a control of ours."""
        return {"key": self.key or None, "mode": self.mode or "skip"}


class Timeouts(Given):
    """How long runs may take."""

    start: Duration | None = None
    finish: Duration | None = None

    def manifest(self) -> dict[str, Any] | None:
        """As a control of ours."""
        return {"start": self.start, "finish": self.finish} if self.start or self.finish else None


class Configuration(Given):
    """One function. Those of its fields that are null are as if they were not there."""

    id: str
    name: Text = ""
    triggers: Annotated[list[Trigger], _none_is(list[Any])] = []
    steps: Annotated[dict[str, Step], Field(min_length=1)]
    retries: int | Retries | None = None
    concurrency: Annotated[list[Concurrency], BeforeValidator(_all_limits)] = []
    throttle: Throttle | None = None
    rate_limit: RateLimit | None = None
    debounce: Debounce | None = None
    batch_events: Batch | None = None
    priority: Priority | None = None
    cancel: Annotated[list[Cancel], _none_is(list[Any])] = []
    idempotency: Text = ""
    singleton: Singleton | None = None
    timeouts: Timeouts | None = None

    @property
    def step(self) -> Step:
        """How it is called."""
        return next(iter(self.steps.values()))

    @property
    def times(self) -> int:
        """Tries after the first: those of its step, else its own, else 4."""
        own = self.retries.attempts if isinstance(self.retries, Retries) else self.retries
        found = self.step.retries.attempts if self.step.retries else None
        return next((one for one in (found, own) if one is not None), 4)
