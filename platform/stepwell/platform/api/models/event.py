"""Events, as the API tells of them and takes them in."""

from typing import Any, Literal

from pydantic import Field

from stepwell.platform.api.models.answer import PAYLOAD, Answer
from stepwell.platform.api.models.run import Run


class Refusal(Answer):
    """Why an event has started no run of a function that it might have."""

    function: str
    reason: str = Field(
        description="paused, duplicate (of an idempotency key), rate_limited, singleton; or condition (of its triggers)"
    )
    run: str | None = Field(description="the run that is the reason")
    message: str


class Unkeyed(Answer):
    """An expression of a control that cannot be evaluated for an event: it counts as one without a value."""

    function: str
    control: str
    message: str


class Event(Answer):
    """An accepted event."""

    id: str
    sender_id: str | None = Field(description="the id that its sender gave it")
    name: str
    data: dict[str, Any] | None = Field(json_schema_extra=PAYLOAD, description="null when it is hidden")
    hidden: bool = Field(default=False, description="its data is kept from the key that asks")
    ts: int
    received_at: int
    runs: list[str] = Field(description="ids of the runs that it started, or has become part of")
    refusals: list[Refusal] = Field(default=[], description="functions of which it has started no run, and why")
    unkeyed: list[Unkeyed] = Field(default=[], description="expressions of controls that cannot be evaluated for it")


class SentEvent(Answer):
    """An event as a sender sends it, alone or in an array."""

    name: str = Field(description="up to 512 bytes")
    data: dict[str, Any] = Field(default={})
    id: str | None = Field(default=None, description="the same id sent again within 24 hours starts nothing")
    ts: int | None = Field(default=None, description="when it happened; in the future it delays the runs")


class Accepted(Answer):
    """Every event is stored, and its runs will happen."""

    ids: list[str] = Field(description="in the order of the events; of one that was known, that of the first")
    status: Literal[200]


class Sent(Answer):
    """Accepted events, and what became of the one whose runs were waited for."""

    ids: list[str] = Field(description="in the order of the events")
    runs: list[Run] | None = Field(description="every run it started, ended; null when nothing was waited for")


class Refused(Answer):
    """Nothing of the request is stored."""

    ids: list[str]
    status: int
    error: str = Field(description="which event and which field, in one line")
