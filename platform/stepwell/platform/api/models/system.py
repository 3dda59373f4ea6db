"""Workers, counts and the platform itself, as the API tells of them."""

from typing import Literal

from pydantic import Field

from stepwell.platform.api.models.answer import Answer


class Away(Answer):
    """That the app that is called cannot be reached."""

    why: str = Field(description="what happens on a call")
    since: int
    until: int = Field(description="when it is called again")


class Worker(Answer):
    """A process that executes functions. What it says of itself is null as long as it says nothing."""

    id: str
    running: int = Field(description="runs that it holds")
    expires_at: int = Field(description="when it counts as dead unless it is heard of")
    host: str | None = Field(default=None, description="the name of its machine")
    pid: int | None = Field(default=None, description="its process there")
    apps: dict[str, str] | None = Field(default=None, description="id of each app that it serves, and its version")
    functions: list[str] | None = Field(default=None, description="that it serves, as app/function; the first 1,000")
    slots: int | None = Field(default=None, description="runs that it executes at once")
    started_at: int | None = None
    stepwell: str | None = Field(default=None, description="the version of Stepwell it runs")
    suspects: bool = Field(default=False, description="serves only runs that may have killed their worker")
    draining: bool = Field(default=False, description="leases nothing more, and is about to end")
    served: str | None = Field(
        default=None, description="the address of the app that a server calls over HTTP for these functions"
    )
    away: Away | None = Field(default=None, description="there when that app cannot be reached")


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
