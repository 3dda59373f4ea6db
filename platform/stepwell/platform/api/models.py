"""The JSON of the API. Times are ms UTC, and null until it has come to that."""

from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Json

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
from stepwell.functions.triggers import CatchUp, Overlap

T = TypeVar("T")
RunStatus = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]
StepStatus = Literal["waiting", "retrying", "completed", "failed"]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Failure(_Answer):
    """Why a run or a step failed."""

    type: str = Field(description="of the exception")
    message: str
    traceback: str | None


class SoughtEvent(_Answer):
    """An event that a step waits for."""

    name: str
    condition: str | None = Field(description="that it has to fulfil")
    entry: str | None = Field(description="its name in a wait for the first of several")


class WaitingOn(_Answer):
    """One thing that a run waits for; what does not apply to its kind is null."""

    kind: str = Field(
        description=(
            "sleep, or another kind of step; retry (of `step`, or of the function when that is null); start (delayed "
            "by its event); debounce and batch (it waits for more events); paused (its function is); concurrency "
            "(every slot is taken); throttle (as many have started as may for now); moved (runs of its function "
            "execute where it lived before the last deploy); worker (none serves the function); queue (of its lane)"
        )
    )
    step: str | None
    until: int | None = Field(description="when it goes on; null when that may take for ever")
    attempts: int | None = Field(description="tries so far")
    error: Failure | None = Field(description="of the last try")
    key: str | None = Field(description="the value that the limit counts by")
    limit: int | None = Field(description="slots there are")
    held: int | None = Field(description="slots that are taken")
    ahead: int | None = Field(description="runs of the same lane before it")
    holders: list[str] = Field(default=[], description="the first of the runs that have the slots")
    position: int | None = Field(
        default=None,
        description="of its lane among those that wait for the same, from 0: a lane has the runs of one key",
    )
    mode: str | None = Field(default=None, description="how its function is paused")
    gathered: int | None = Field(default=None, description="events that a batch has so far")
    events: list[SoughtEvent] = Field(default=[], description="each of which ends the wait")
    child_id: str | None = Field(default=None, description="the invoked run that it waits for")
    function: str | None = Field(default=None, description="of that run")


class RunSummary(_Answer):
    """A run in a list."""

    id: str
    function: str = Field(description="as app/function")
    app: str
    status: RunStatus
    cancel_requested: bool = Field(description="it is to end at its next step or await")
    event_id: str
    event_name: str | None
    attempt: int = Field(description="failed tries of the function outside its steps")
    created_at: int = Field(description="when its event was received; of a run of a schedule, the time it is for")
    started_at: int | None
    ended_at: int | None
    error: Failure | None
    parent_id: str | None = Field(default=None, description="the run that invoked it")
    parent_step: str | None = Field(default=None, description="key of the step that did")
    rerun_of: str | None = Field(default=None, description="the run that it does again")
    version: str = Field(description="of the app, when the run was created")


class Run(RunSummary):
    """One execution of a function for one event, or for those of a batch."""

    event_ids: list[str] = Field(
        default=[],
        description="its events, oldest first: one, or up to 1,000 of a batch; empty in lists of the runs of an event",
    )
    output: Json[Any] | None
    waiting_on: list[WaitingOn] | None
    versions: list[str] = Field(default=[], description="of the app, that have executed it; the last 20")
    drift: list[str] = Field(default=[], description="keys of recorded steps that it did not ask for to its end")


class Step(_Answer):
    """A named unit inside a run whose outcome is recorded once."""

    id: str
    index: int = Field(description="place in the order in which they began, from 0")
    kind: str
    status: StepStatus
    attempts: int
    output: Json[Any] | None
    error: Failure | None = Field(description="of the last try")
    started_at: int | None
    ended_at: int | None
    wakes_at: int | None = Field(description="when its wait or its retry is due")
    events: list[SoughtEvent] = Field(default=[], description="that it waits for, each of which ends the wait")
    child_id: str | None = Field(default=None, description="the run that it has invoked")


class Refusal(_Answer):
    """Why an event has started no run of a function that it might have."""

    function: str
    reason: str = Field(
        description="paused, duplicate (of an idempotency key), rate_limited, singleton; or condition (of its triggers)"
    )
    run: str | None = Field(description="the run that is the reason")
    message: str


class Unkeyed(_Answer):
    """An expression of a control that cannot be evaluated for an event: it counts as one without a value."""

    function: str
    control: str
    message: str


class Event(_Answer):
    """An accepted event."""

    id: str
    sender_id: str | None = Field(description="the id that its sender gave it")
    name: str
    data: dict[str, Any]
    ts: int
    received_at: int
    runs: list[str] = Field(description="ids of the runs that it started, or has become part of")
    refusals: list[Refusal] = Field(default=[], description="functions of which it has started no run, and why")
    unkeyed: list[Unkeyed] = Field(default=[], description="expressions of controls that cannot be evaluated for it")


class Pause(_Answer):
    """That a function is paused."""

    mode: str = Field(description="keep: all its runs wait; hold: those that have not begun; drop: no more are started")
    since: int


class Function(_Answer):
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


class SlotHolder(_Answer):
    """A run that has a slot."""

    run: str
    since: int
    worker: str | None = Field(description="the session that executes it")


class Key(_Answer):
    """A value of the key of a constraint, of which somebody has a slot or waits for one."""

    scope: str = Field(description="the id of both")
    constraint: str = Field(description="app/function#… of one function; app~name or ~name of a shared one")
    value: str = Field(description='of the key; "" when all runs are counted alike')
    limit: int | None = Field(description="slots there are; null when there are none to be had, as of a throttle")
    held: int
    holders: list[SlotHolder] = Field(description="the first 100, oldest first")
    lanes: int = Field(description="that wait for it")
    waiting: int = Field(description="runs in the first 100 of these lanes")


class Schedule(_Answer):
    """When a function runs, and what is known of that. Lengths are in ms."""

    id: str = Field(description="as app/function/digits; it changes with the expression and the zone")
    function: str = Field(description="as app/function")
    app: str
    cron: str
    tz: str = Field(description="the zone whose clocks it is read by")
    jitter: int = Field(description="each time is fired up to so much later")
    overlap: Overlap
    catch_up: CatchUp
    window: int = Field(description="how old a time may be that is made up for")
    next_at: int | None = Field(description="the next time that is to start a run; null while it is paused")
    skips: int | None = Field(description="a time before that, which is left out")
    last_at: int | None = Field(description="the last time that has started a run")
    last_fired_at: int | None = Field(description="when it did")
    last_run: str | None
    missed: int = Field(
        description="times, at least, at which nothing could start a run, and that were not made up for"
    )
    skipped: int = Field(description="times left out: the run before had not ended, or somebody wanted it")
    held: list[int] = Field(description="times that wait for the run before to end")
    paused_at: int | None


class ScheduleDetail(Schedule):
    """A schedule on its own."""

    upcoming: list[int] = Field(description="its next five times")


class StartedRun(_Answer):
    """A run that was started."""

    run: str = Field(description="id of the run")


class Backfill(_Answer):
    """What a backfill has started."""

    runs: list[str] = Field(description="ids of the runs that it created, in the order of their times")
    existing: int = Field(description="times that had their run already")


class App(_Answer):
    """A set of functions deployed together."""

    id: str
    version: str
    functions: list[str]


class Worker(_Answer):
    """A process that executes functions."""

    id: str
    running: int = Field(description="runs that it holds")
    expires_at: int = Field(description="when it counts as dead unless it is heard of")


class RunCounts(_Answer):
    """Runs that are kept. `queued` and `waiting` are null when more than 2,000 are unfinished."""

    queued: int | None
    running: int
    waiting: int | None
    unfinished: int
    completed: int
    failed: int
    cancelled: int


class Limits(_Answer):
    """What is refused beyond."""

    event_bytes: int
    request_bytes: int
    events_per_request: int
    steps_per_run: int
    bytes_per_run: int


class Info(_Answer):
    """This server."""

    version: str
    mode: Literal["dev", "server"]
    redis: str
    partitions: int
    runs: RunCounts
    limits: Limits


class Health(_Answer):
    """Whether the server is up."""

    status: Literal["ok"]


class Item(_Answer, Generic[T]):
    """One thing."""

    data: T


class Page(_Answer, Generic[T]):
    """Part of a list. A page may be empty and still have a `next`, when a filter leaves nothing of many."""

    data: list[T]
    next: str | None = Field(default=None, description="cursor of the following part, null at the end")


class SentEvent(_Answer):
    """An event as a sender sends it, alone or in an array."""

    name: str = Field(description="up to 512 bytes")
    data: dict[str, Any] = Field(default={})
    id: str | None = Field(default=None, description="the same id sent again within 24 hours starts nothing")
    ts: int | None = Field(default=None, description="when it happened; in the future it delays the runs")


class Accepted(_Answer):
    """Every event is stored, and its runs will happen."""

    ids: list[str] = Field(description="in the order of the events; of one that was known, that of the first")
    status: Literal[200]


class Sent(_Answer):
    """Accepted events, and what became of the one whose runs were waited for."""

    ids: list[str] = Field(description="in the order of the events")
    runs: list[Run] | None = Field(description="every run it started, ended; null when nothing was waited for")


class Refused(_Answer):
    """Nothing of the request is stored."""

    ids: list[str]
    status: int
    error: str = Field(description="which event and which field, in one line")
