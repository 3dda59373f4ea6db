"""Workers, counts and the platform itself, as the API tells of them."""

from typing import Literal

from pydantic import Field

from stepwell.platform.api.models.answer import Answer


class Worker(Answer):
    """A process that executes functions."""

    id: str
    running: int = Field(description="runs that it holds")
    expires_at: int = Field(description="when it counts as dead unless it is heard of")


class RunCounts(Answer):
    """Runs that are kept. `queued` and `waiting` are null when more than 2,000 are unfinished."""

    queued: int | None
    running: int
    waiting: int | None
    unfinished: int
    completed: int
    failed: int
    cancelled: int


class Limits(Answer):
    """What is refused beyond."""

    event_bytes: int
    request_bytes: int
    events_per_request: int
    steps_per_run: int
    bytes_per_run: int


class Info(Answer):
    """This server."""

    version: str
    mode: Literal["dev", "server"]
    redis: str
    partitions: int
    runs: RunCounts
    limits: Limits


class Health(Answer):
    """Whether the server is up."""

    status: Literal["ok"]
