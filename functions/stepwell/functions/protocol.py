"""The wire format between an app and the platform: what an app registers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stepwell.functions.controls import PATH
from stepwell.functions.crontab import MOST
from stepwell.functions.durations import LONGEST as LONGEST_MS
from stepwell.functions.ids import ID, VERSION, check_event_name
from stepwell.functions.triggers import LONGEST, MOST_JITTER, CatchUp, Overlap

Id = Annotated[str, Field(pattern=f"^{ID}$")]


class _Wire(BaseModel):
    # Unknown fields are dropped: a worker may be one version ahead of its server during a rolling upgrade.
    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )


class TriggerManifest(_Wire):
    """What starts a function: an event name, whose last segment may be `*`, and a condition on the event or ""."""

    event: Annotated[str, AfterValidator(check_event_name)]
    if_: Annotated[str, Field(max_length=4096, alias="if")] = ""


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
    """At most `limit` runs at once, for each value of the event path `key` when there is one."""

    limit: Annotated[int, Field(ge=1)]
    key: Annotated[str, Field(pattern=f"^{PATH.pattern}$")] | None = None


class TimeoutsManifest(_Wire):
    """ms from a run's creation to its first execution, and from that to its end; null: as long as it takes."""

    start: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None
    finish: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None


class CancelOnManifest(_Wire):
    """An event that cancels runs: its name, a condition over `event` and `async` or "", and for how many ms."""

    event: Annotated[str, AfterValidator(check_event_name)]
    if_: Annotated[str, Field(max_length=4096, alias="if")] = ""
    within: Annotated[int, Field(ge=1, le=LONGEST_MS)] | None = None


class IdempotencyManifest(_Wire):
    """Events with one value of the expression `key` start one run in `period` ms."""

    key: Annotated[str, Field(min_length=1, max_length=4096)]
    period: Annotated[int, Field(ge=1, le=LONGEST_MS)]


class FunctionManifest(_Wire):
    """One function of an app."""

    id: Id
    triggers: Annotated[list[TriggerManifest | CronManifest], Field(min_length=1)]
    retries: RetriesManifest
    concurrency: list[ConcurrencyManifest] = []
    timeouts: TimeoutsManifest | None = None
    cancel_on: Annotated[list[CancelOnManifest], Field(max_length=64)] = []
    idempotency: IdempotencyManifest | None = None


class Manifest(_Wire):
    """An app and its functions, as registered with the platform."""

    id: Id
    version: Annotated[str, Field(pattern=f"^{VERSION}$")]
    functions: list[FunctionManifest]
