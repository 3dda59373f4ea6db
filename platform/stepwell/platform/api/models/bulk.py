"""Bulk jobs, as the API tells of them."""

from typing import Literal

from pydantic import Field

from stepwell.platform.api.models.answer import PAYLOAD, Answer
from stepwell.platform.api.models.run import RunStatus, RunSummary

BulkAction = Literal["cancel", "rerun", "retry"]
BulkState = Literal["running", "stopping", "stopped", "done", "failed"]


class BulkFilter(Answer):
    """The runs that a job is for; what is null does not matter."""

    status: RunStatus | None
    function: str | None
    app: str | None
    event: str | None
    after: int | None
    before: int | None = Field(description="created before this time: when the job was made, or earlier")
    id: str | None
    event_id: str | None
    q: str | None = Field(json_schema_extra=PAYLOAD)
    hidden: bool = Field(default=False, description="its `q` is kept from the key that asks")


class BulkRefusal(Answer):
    """Runs that something could not be done to."""

    reason: str
    count: int
    examples: list[str] = Field(description="ids of the first of them, up to 3")


class BulkJob(Answer):
    """Many runs that are cancelled, done again, or tried again now, and how far that has come."""

    id: str
    action: BulkAction
    from_failed: bool = Field(description="they are done again from the step by which they have failed")
    filter: BulkFilter
    rate: int = Field(description="runs per second, at most")
    by: str = Field(description="name of the API key of who asked; empty on a server that asks for none")
    state: BulkState
    problem: str | None = Field(description="why it has failed")
    created_at: int
    ended_at: int | None
    searched: int = Field(description="runs looked at")
    total: int = Field(description="runs there are to look at, as far as is known")
    undecided: int = Field(description="of those searched, where `q` needed too many steps; nothing is done to them")
    matched: int = Field(description="runs found so far")
    done: int = Field(description="of those, steered")
    refused: int = Field(description="and not, for the reasons below")
    refusals: list[BulkRefusal] = Field(description="the most frequent first")
    left: int = Field(
        description=(
            "runs found and not yet steered; in a job that was stopped after its process had died, some of them may "
            "have been"
        )
    )


class ErrorGroup(Answer):
    """Errors of one type whose messages differ at most in words with a digit, such as ids."""

    type: str = Field(description="of the exception; of a step that has failed, its exception")
    message: str = Field(description="the most frequent")
    count: int = Field(description="runs that failed so")
    messages: int = Field(description="how many different ones there are")
    example: str = Field(description="id of a run with this message")


class BulkPreview(Answer):
    """What a job would do to runs as they are now."""

    action: BulkAction
    from_failed: bool
    filter: BulkFilter = Field(description="give its `before` to the job, and it does just what is shown")
    count: int = Field(description="runs found")
    exact: bool = Field(description="whether those are all; else there are at least so many")
    searched: int = Field(description="runs looked at: 2,000, or as many as there was time for")
    total: int = Field(description="runs there are to look at")
    undecided: int = Field(description="of those searched, where `q` needed too many steps")
    examples: list[RunSummary] = Field(description="the newest of those found, up to 10")
    failed: int = Field(description="of those found that were looked at, have failed")
    errors: list[ErrorGroup] = Field(description="with which errors, the 20 most frequent")
