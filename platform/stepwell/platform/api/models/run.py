"""Runs and their steps, as the API tells of them."""

from typing import Any, Literal

from pydantic import Field, Json

from stepwell.platform.api.models.answer import PAYLOAD, Answer
from stepwell.platform.api.models.log import Progress

RunStatus = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]
StepStatus = Literal["running", "waiting", "retrying", "completed", "failed"]


class Cause(Answer):
    """Another exception that an error has come from."""

    relation: Literal["cause", "context", "member"] = Field(
        description=(
            "to the one before, or to one before that: cause (raised from it), context (raised while it was handled), "
            "member (of the group that it is)"
        )
    )
    type: str = Field(description="of the exception")
    message: str
    traceback: str | None = Field(json_schema_extra=PAYLOAD)
    hidden: bool = Field(default=False, description="its traceback is kept from the key that asks")


class Failure(Answer):
    """Why a run or a step failed."""

    type: str = Field(description="of the exception")
    message: str
    traceback: str | None = Field(json_schema_extra=PAYLOAD)
    hidden: bool = Field(default=False, description="its traceback is kept from the key that asks")
    causes: list[Cause] = Field(default=[], description="what it has come from, the nearest first; at most 8")
    causes_cut: int = Field(default=0, description="causes that are not kept")


class Try(Answer):
    """A failed attempt of a step."""

    attempt: int
    started_at: int
    ended_at: int
    error: Failure | None = Field(description="shortened, unless it is that of the last attempt")
    worker: str | None = Field(description="the session that has made it")


class SoughtEvent(Answer):
    """An event that a step waits for."""

    name: str
    condition: str | None = Field(description="that it has to fulfil")
    entry: str | None = Field(description="its name in a wait for the first of several")


class WaitingOn(Answer):
    """One thing that a run waits for; what does not apply to its kind is null."""

    kind: str = Field(
        description=(
            "sleep, or another kind of step; retry (of `step`, or of the function when that is null); start (delayed "
            "by its event); debounce and batch (it waits for more events); paused (its function is); concurrency "
            "(every slot is taken); throttle (as many have started as may for now); moved (runs of its function "
            "execute where it lived before the last deploy); worker (none serves the function); away (the "
            "app that is called for it cannot be reached); queue (of its lane)"
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
    signal: str | None = Field(default=None, description="that ends the wait")
    app: str | None = Field(default=None, description="that cannot be reached; it is called again at `until`")
    since: int | None = Field(default=None, description="when it could not be for the first time")
    why: str | None = Field(default=None, description="what happens on a call of it")


class RunSummary(Answer):
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

    event_ids: list[str] = Field(description="its events, oldest first: one, or up to 1,000 of a batch")
    output: Json[Any] | None = Field(json_schema_extra=PAYLOAD)
    hidden: bool = Field(default=False, description="its output is kept from the key that asks")
    waiting_on: list[WaitingOn] | None
    progress: Progress | None = Field(default=None, description="the newest, until the run has ended")
    versions: list[str] = Field(default=[], description="of the app, that have executed it; the last 20")
    drift: list[str] = Field(default=[], description="keys of recorded steps that it did not ask for to its end")


class Step(Answer):
    """A named unit inside a run whose outcome is recorded once."""

    id: str
    index: int = Field(description="place in the order in which they began, from 0")
    kind: str
    status: StepStatus = Field(description="running once its body has executed for a second or two")
    worker: str | None = Field(default=None, description="the session that executes its body")
    attempts: int
    output: Json[Any] | None = Field(json_schema_extra=PAYLOAD)
    hidden: bool = Field(default=False, description="its output is kept from the key that asks")
    error: Failure | None = Field(description="of the last try")
    started_at: int | None
    ended_at: int | None
    wakes_at: int | None = Field(description="when its wait or its retry is due")
    events: list[SoughtEvent] = Field(default=[], description="that it waits for, each of which ends the wait")
    child_id: str | None = Field(default=None, description="the run that it has invoked")
    progress: Progress | None = Field(default=None, description="the newest")
    tries: list[Try] = Field(default=[], description="its failed attempts that are kept, oldest first")
