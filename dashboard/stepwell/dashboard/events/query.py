"""What is asked of the list of events: everything is in the address."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from stepwell.dashboard.address import with_query
from stepwell.platform.api.operations import Query
from stepwell.platform.api.searching import MOST_CHARACTERS


class EventsQuery(Query):
    """Filters of the list, where its page begins, and whether it stays as it is."""

    # Links from elsewhere may carry parameters of their own.
    model_config = ConfigDict(extra="ignore")

    name: str | None = Field(None, max_length=512)
    q: str | None = Field(None, max_length=MOST_CHARACTERS)
    cursor: str | None = None
    live: Literal["off"] | None = None

    @property
    def filtered(self) -> bool:
        """Whether it asks for less than all events."""
        return bool(self.name or self.q)

    @property
    def still(self) -> bool:
        """Whether nothing is to move."""
        return self.live == "off"

    def url(self, **changes: Any) -> str:
        """The address of the list with other filters. It begins at the newest unless `cursor` is among them."""
        return with_query("/events", {**self.model_dump(mode="json"), "cursor": None, **changes})
