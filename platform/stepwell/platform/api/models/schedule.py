"""Schedules, as the API tells of them."""

from pydantic import Field

from stepwell.functions.triggers import CatchUp, Overlap
from stepwell.platform.api.models.answer import Answer


class Schedule(Answer):
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


class StartedRun(Answer):
    """A run that was started."""

    run: str = Field(description="id of the run")


class Backfill(Answer):
    """What a backfill has started."""

    runs: list[str] = Field(description="ids of the runs that it created, in the order of their times")
    existing: int = Field(description="times that had their run already")
