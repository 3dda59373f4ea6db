"""What functions have to do, as the API tells of it."""

from pydantic import Field

from stepwell.platform.api.models.answer import Answer


class Queue(Answer):
    """What there is to do of a function. Runs that sleep, wait for events, or are to begin later are not in here."""

    function: str = Field(description="as app/function")
    ready: int = Field(description="runs that a worker may lease")
    blocked: int = Field(description="runs behind a slot that others have")
    throttled: int = Field(description="runs behind a throttle")
    paused: int = Field(description="runs that wait for the function to go on")
    moved: int = Field(description="runs that wait for those that execute where the function lived before")
    executing: int = Field(description="runs that workers have")
    workers: int = Field(description="that listen for its runs")
    oldest: str | None = Field(description="the oldest of the runs that are the first of a lane")
    more: bool = Field(description="there are more lanes than were looked at: the numbers are the least there are")
