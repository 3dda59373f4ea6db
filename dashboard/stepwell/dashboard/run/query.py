"""What is asked of the page of a run: everything is in the address."""

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, Field

from stepwell.platform.api.operations import Query

LEVELS = ("print", "debug", "info", "warning", "error", "critical")
"""Of lines, the lowest first."""


class Tab(StrEnum):
    """A side of a run."""

    TIMELINE = "timeline"
    LOGS = "logs"
    HISTORY = "history"


class RunQuery(Query):
    """Which side of the run is shown, and what of it."""

    # Links from elsewhere may carry parameters of their own.
    model_config = ConfigDict(extra="ignore", frozen=True)

    tab: Tab = Tab.TIMELINE
    steps: Literal["all"] | None = None
    after: int | None = Field(None, ge=0, le=1 << 53)
    level: Literal["print", "debug", "info", "warning", "error", "critical"] | None = None
    step: str | None = Field(None, max_length=600)
    text: str | None = Field(None, max_length=200)

    @property
    def filters_lines(self) -> bool:
        """Whether only some of what was said is wanted."""
        return any((self.level, self.step, self.text))
