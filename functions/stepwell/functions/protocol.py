"""The wire format between an app and the platform: what an app registers."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from stepwell.functions.bounds import MOST_AT_ONCE, WEEK
from stepwell.functions.cancelling import MOST_CANCELS
from stepwell.functions.concurrency import MOST_CONTROLS, Scope
from stepwell.functions.conditions import CHARACTERS
from stepwell.functions.crontab import MOST
from stepwell.functions.durations import LONGEST as LONGEST_MS
from stepwell.functions.gathering import MOST_EVENTS
from stepwell.functions.ids import ID, VERSION, check_event_name
from stepwell.functions.starts import MOST_STARTS, Mode
from stepwell.functions.triggers import LONGEST, MOST_JITTER, CatchUp, Overlap

Id = Annotated[str, Field(pattern=f"^{ID}$")]
Expression = Annotated[str, Field(min_length=1, max_length=CHARACTERS)]
Condition = Annotated[str, Field(max_length=CHARACTERS, alias="if")]
Period = Annotated[int, Field(ge=1, le=WEEK)]
Url = Annotated[str, Field(pattern=r"^https?://[!-~]+$", max_length=2048)]


class _Wire(BaseModel):
    # Unknown fields are dropped: a worker may be one version ahead of its server during a rolling upgrade.
    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class TriggerManifest(_Wire):
    """What starts a function: an event name, whose last segment may be `*`, and a condition on the event or ""."""

    event: Annotated[str, AfterValidator(check_event_name)]
    if_: Condition = ""


class CronManifest(_Wire):
    """What starts a function: a schedule. Whether expression and zone can be understood is for the platform to say.

    Args:
        cron: the expression.
        tz: the zone whose clocks it is read by.
        jitter, window: ms.
        overlap, catch_up: see `stepwell.functions.cron`.
    """

    cron: Annotated[str, Field(max_length=MOST)]
    tz: Annotated[str, Field(max_length=128)] = "UTC"
    jitter: Annotated[int, Field(ge=0, le=MOST_JITTER)] = 0
    overlap: Overlap = "allow"
    catch_up: CatchUp = "last"
    window: Annotated[int, Field(ge=0, le=LONGEST)] = 3_600_000


class RetriesManifest(_Wire):
    """Tries after the first one."""

    times: Annotated[int, Field(ge=0, le=100)]


class ConcurrencyManifest(_Wire):
    """At most `limit` runs at once, for each value of the expression `key` when there is one.

    With a scope beyond the function, all functions of that scope with this name share the slots.
    """

    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)]
    key: Expression | None = None
    scope: Scope = "function"
    name: Id | None = None

    @model_validator(mode="after")
    def _named_when_shared(self) -> Self:
        if (self.scope == "function") != (self.name is None):
            raise ValueError("a name is for a scope beyond the function, and is needed there")
        return self


class TimeoutsManifest(_Wire):
    """ms from a run's creation to its first execution, and from that to its end; null: as long as it takes."""

    start: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None
    finish: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None


class CancelOnManifest(_Wire):
    """An event that cancels runs: its name, a condition over `event` and `async` or "", and for how many ms."""

    event: Annotated[str, AfterValidator(check_event_name)]
    if_: Condition = ""
    within: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None


class IdempotencyManifest(_Wire):
    """Events with one value of the expression `key` start one run in `period` ms."""

    key: Expression
    period: Annotated[int, Field(ge=1, le=LONGEST_MS)]


class ThrottleManifest(_Wire):
    """`limit` runs begin in `period` ms, evenly spread, and `burst` at once after a pause; those beyond wait."""

    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)]
    period: Period
    burst: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 1
    key: Expression | None = None


class RateLimitManifest(_Wire):
    """`limit` runs are started in `period` ms; events beyond start nothing."""

    limit: Annotated[int, Field(ge=1, le=MOST_STARTS)]
    period: Period
    key: Expression | None = None


class DebounceManifest(_Wire):
    """The last event starts a run when none has come for `period` ms, or `timeout` ms after the first."""

    period: Period
    timeout: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None
    key: Expression | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.timeout is not None and self.timeout < self.period:
            raise ValueError("timeout is at least as long as period")
        return self


class BatchManifest(_Wire):
    """`max_size` events start one run, or those that have come in `timeout` ms from the first.

    Those for which the expression `if` over `event` is not true start one each; "" is true for all.
    """

    max_size: Annotated[int, Field(ge=2, le=MOST_EVENTS)]
    timeout: Period
    key: Expression | None = None
    if_: Condition = ""


class PriorityManifest(_Wire):
    """An expression over `event` that gives the seconds, -600 to 600, by which a run goes before others."""

    expression: Expression


class SingletonManifest(_Wire):
    """One run at a time: an event that comes meanwhile starts nothing, or cancels the run before its own."""

    key: Expression | None = None
    mode: Mode = "skip"


class FairnessManifest(_Wire):
    """Runs with different values of the expression `key` take turns."""

    key: Expression


class FunctionManifest(_Wire):
    """One function of an app.

    Args:
        id: unique in its app.
        triggers: what starts it; with none, it is only invoked.
        url: of a function that is served: where it is called.
        name: for people; "" when it has none but its id.
    """

    id: Id
    triggers: list[TriggerManifest | CronManifest]
    retries: RetriesManifest
    concurrency: Annotated[list[ConcurrencyManifest], Field(max_length=MOST_CONTROLS)] = []
    timeouts: TimeoutsManifest | None = None
    cancel_on: Annotated[list[CancelOnManifest], Field(max_length=MOST_CANCELS)] = []
    idempotency: IdempotencyManifest | None = None
    throttle: ThrottleManifest | None = None
    rate_limit: RateLimitManifest | None = None
    debounce: DebounceManifest | None = None
    batch: BatchManifest | None = None
    priority: PriorityManifest | None = None
    singleton: SingletonManifest | None = None
    fairness: FairnessManifest | None = None
    url: Url | None = None
    name: Annotated[str, Field(max_length=256)] = ""

    @model_validator(mode="after")
    def _gathered_once(self) -> Self:
        if self.debounce is not None and self.batch is not None:
            raise ValueError("debounce and batch gather the same events in two ways: leave out one of them")
        return self


class ServedManifest(_Wire):
    """How an app that is reached over HTTP was registered.

    Args:
        url: where it serves its functions.
        sdk: what it is written with, and the version of that, such as "py:v0.5.19"; "" when it did not say.
        framework: of the web application it is part of; "" when it did not say.
    """

    url: Url
    sdk: Annotated[str, Field(max_length=128)] = ""
    framework: Annotated[str, Field(max_length=128)] = ""


class Manifest(_Wire):
    """An app and its functions, as registered with the platform; `served` when they are reached over HTTP."""

    id: Id
    version: Annotated[str, Field(pattern=f"^{VERSION}$")]
    functions: list[FunctionManifest]
    served: ServedManifest | None = None
