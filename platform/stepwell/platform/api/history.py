"""What has happened to runs: reading it."""

from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.models.history import History
from stepwell.platform.api.operations import Operation, Query, answer, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.views import history as history_views
from stepwell.platform.installation import Installation

MOST_ENTRIES = 1_000


class HistoryQuery(Query):
    """Which entries."""

    after: int = Field(default=0, ge=0, le=1 << 53, description="number of the last entry of the part before")
    limit: int = Field(default=500, ge=1, le=MOST_ENTRIES)


class HistoryApi:
    """The endpoint `/api/v1/runs/{id}/history`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def operations(self) -> Iterator[Operation]:
        """The row of the route table."""
        path, about = "/api/v1/runs/{id}/history", "What has happened to a run, oldest first, and where its time went"
        yield Operation("GET", path, "get_history", about, self.history, History, HistoryQuery, (404,))

    async def history(self, request: Request) -> ASGIApp:
        """GET /runs/{id}/history."""
        query = parameters(request, HistoryQuery)
        id = request.path_params["id"]
        story = await self._installation.history.story(id, self._installation.clock.now())
        if story is None:
            raise not_found("run", id)
        return answer(history_views.history(story, query.after, query.limit))
