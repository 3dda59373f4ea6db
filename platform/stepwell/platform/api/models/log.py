"""What the code of runs has said, as the API tells of it."""

from typing import Any

from pydantic import Field

from stepwell.platform.api.models.answer import Answer


class LogLine(Answer):
    """A line that a run has logged, or printed."""

    number: int = Field(description="in its run, from 1; lines that were dropped are counted")
    at: int = Field(description="ms UTC, by the clock of the worker")
    level: str = Field(description="debug, info, warning, error, critical; print for what was printed")
    message: str
    fields: dict[str, Any] = Field(description="given with it as extra=; exception: the traceback of one")
    step: str | None = Field(description="key of the step whose body said it; null outside steps")
    attempt: int = Field(description="of that step, or of the function, from 1")


class Logs(Answer):
    """Lines of a run, oldest first."""

    data: list[LogLine]
    next: str | None = Field(default=None, description="`after` of the following part, null at the end for now")
    dropped: int = Field(description="lines that are not kept, all older than those that are")


class Progress(Answer):
    """How far a run, or one of its steps, says to have come."""

    at: int = Field(description="ms UTC, by the clock of the worker")
    value: float = Field(description="from 0 to 1")
    text: str
    step: str | None = Field(description="key of the step whose body said it; null outside steps")
    attempt: int = Field(description="of that step, or of the function, from 1")
