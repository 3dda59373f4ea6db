"""Which time the first page is about: it is in the address."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import ConfigDict

from stepwell.dashboard.wording.durations import DAY, HOUR
from stepwell.platform.api.operations import Query
from stepwell.platform.reading.rates import Per


class Within(StrEnum):
    """How far back."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time up to now, and how it is divided; `length` in ms."""

    label: str
    length: int
    per: Per
    unit: str


WINDOWS = {
    Within.HOUR: Window("1 h", HOUR, Per.MINUTE, "minute"),
    Within.DAY: Window("24 h", DAY, Per.HOUR, "hour"),
    Within.WEEK: Window("7 d", 7 * DAY, Per.HOUR, "hour"),
}


class HomeQuery(Query):
    """What is asked of the first page."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    within: Within = Within.HOUR

    @property
    def window(self) -> Window:
        """The time it is about."""
        return WINDOWS[self.within]
