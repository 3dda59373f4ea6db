"""Which runs: the fields of query strings and bodies that say so."""

from pydantic import BaseModel, ConfigDict, Field

from stepwell.platform.api.searching import q, understood
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.where import where_of_run
from stepwell.platform.records import Status

LAST_MS = (1 << 48) - 1
ID_BEGINS = r"^[0-7][0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{0,25}$"


class RunFields(BaseModel):
    """Every filter that is given has to hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status | None = None
    function: str | None = Field(default=None, max_length=129, description="as app/function")
    app: str | None = Field(default=None, max_length=64)
    event: str | None = Field(default=None, max_length=512, description="name of the event that started them")
    after: int | None = Field(default=None, ge=0, le=LAST_MS, description="created at or after this time, ms UTC")
    before: int | None = Field(default=None, ge=0, le=LAST_MS, description="created before this time, ms UTC")
    id: str | None = Field(default=None, pattern=ID_BEGINS, description="what their ids begin with")
    event_id: str | None = Field(
        default=None, max_length=26, description="id of an event that started them, or has become part of them"
    )
    q: str | None = q('error.type == "CardDeclined"')

    def wanted(self) -> Wanted:
        """What they say, without what else there is."""
        return Wanted(
            self.status,
            self.function,
            self.app,
            self.event,
            self.after,
            self.before,
            self.id,
            self.event_id,
            self.q,
        )


def filter_of(wanted: Wanted) -> RunFilter:
    """To read by. Raises a `Problem` when the expression is none."""
    understood(wanted.q, where_of_run, "event, output, error and run")
    return wanted.filter()
