"""What has happened to a run, as the API tells of it."""

from typing import Literal

from pydantic import Field

from stepwell.platform.api.models.answer import Answer
from stepwell.platform.api.models.run import Failure


class HistoryEntry(Answer):
    """One thing that has happened to a run; what does not apply to its kind is null."""

    number: int = Field(description="place in the history as it is now, from 1")
    at: int = Field(description="when it happened, or began, ms UTC")
    kind: Literal[
        "created", "kept", "retry", "wake", "resolve", "queued", "running", "step", "failed_attempt",
        "cancel_requested", "waiting", "completed", "failed", "cancelled",
    ] = Field(
        description=(
            "created; queued, running or waiting: for as long as the run was; step: from its start to its end; "
            "failed_attempt: of a step or, when that is null, of the function; kept: a step that it has from the run "
            "that it does again; cancel_requested; retry, wake or resolve: by hand; completed, failed or cancelled"
        )
    )  # fmt: skip
    until: int | None = Field(description="when it ended; null when it goes on")
    step: str | None = Field(description="its key; of queued: the step whose end has made the run ready")
    step_kind: str | None = Field(description="of that step")
    worker: str | None = Field(description="the session that has executed it")
    attempt: int | None = Field(description="which one has failed; of a step: how often it was tried")
    outcome: str | None = Field(
        description=(
            "how running ended: suspended, retrying (the function is tried again later), released, crashed (its worker "
            "died), completed, failed or cancelled; or a step: running, waiting, retrying, completed or failed"
        )
    )
    due: int | None = Field(description="when it goes on, or is tried again")
    error: Failure | None = Field(description="shortened, unless it is the last of its step, or of the run")


class History(Answer):
    """What has happened to a run, oldest first, and where its time went."""

    data: list[HistoryEntry]
    next: str | None = Field(default=None, description="`after` of the following part, null at the end for now")
    total: int = Field(description="entries of all parts")
    dropped: int = Field(description="older turns, failed attempts and acts that are not kept; their time is counted")
    queued_ms: int = Field(description="how long it was queued; the three add up to its life, or to now")
    running_ms: int
    waiting_ms: int
