"""What happens in a minute or an hour, as the API tells of it."""

from typing import Literal

from pydantic import Field

from stepwell.platform.api.models.answer import Answer

Per = Literal["minute", "hour"]


class RatesPoint(Answer):
    """What happened in one minute, or hour."""

    at: int = Field(description="its beginning")
    events: int = Field(description="that were accepted; 0 where one function is asked for")
    created: int
    started: int = Field(description="runs that a worker began to execute")
    completed: int
    failed: int
    cancelled: int
    retried: int = Field(description="attempts, of steps and of functions, that failed and are made again")
    failed_steps: int = Field(description="steps that failed for good")


class Rates(Answer):
    """What happened in a range of time, oldest first, without gaps."""

    function: str | None = Field(description="null: all")
    per: Per
    after: int = Field(description="the first point; what was before is not kept, or was not asked for")
    before: int = Field(description="the end of the last point")
    points: list[RatesPoint]
