"""What is asked of the list of runs: everything is in the address."""

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field

from stepwell.dashboard.address import with_query
from stepwell.dashboard.wording.durations import DAY, HOUR, MINUTE
from stepwell.platform.api.operations import Query
from stepwell.platform.api.searching import MOST_CHARACTERS
from stepwell.platform.api.wanted import LAST_MS
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.where import where_of_run
from stepwell.platform.records import Status


class Span(StrEnum):
    """How far back."""

    QUARTER = "15m"
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


SPANS = {Span.QUARTER: 15 * MINUTE, Span.HOUR: HOUR, Span.DAY: DAY, Span.WEEK: 7 * DAY}
"""In ms."""
SPAN_LABELS = {
    Span.QUARTER: "Last 15 minutes",
    Span.HOUR: "Last hour",
    Span.DAY: "Last 24 hours",
    Span.WEEK: "Last 7 days",
}


class RunsQuery(Query):
    """Filters of the list, and where its page begins."""

    # Links from elsewhere may carry parameters of their own.
    model_config = ConfigDict(extra="ignore")

    status: Status | None = None
    function: str | None = Field(None, max_length=129)
    app: str | None = Field(None, max_length=64)
    event: str | None = Field(None, max_length=512)
    within: Span | None = None
    after: int | None = Field(None, ge=0, le=LAST_MS)
    before: int | None = Field(None, ge=0, le=LAST_MS)
    q: str | None = Field(None, max_length=MOST_CHARACTERS)
    cursor: str | None = None

    @property
    def filtered(self) -> bool:
        """Whether it asks for less than all runs."""
        return self.narrowed or self.status is not None

    @property
    def narrowed(self) -> bool:
        """The same, leaving out the status."""
        return any((self.function, self.app, self.event, self.within, self.after, self.before, self.q))

    def filter(self, now: int) -> RunFilter:
        """For a reader, at `now` ms UTC. Raises `ExpressionError`."""
        after = now - SPANS[self.within] if self.within else self.after
        where = where_of_run(self.q) if self.q else None
        return RunFilter(self.status, self.function, self.app, self.event, after, self.before, where=where)

    def url(self, **changes: Any) -> str:
        """The address of the list with other filters. It begins at the newest run unless `cursor` is among them."""
        return with_query("/runs", {**self.model_dump(mode="json"), "cursor": None, **changes})

    def bulk_url(self, action: str) -> str:
        """The address at which `action` is done to all runs of the list."""
        return with_query("/bulk/new", {**self.model_dump(mode="json"), "cursor": None, "action": action})
