"""What the code of runs has said: reading it."""

from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.models.log import Logs
from stepwell.platform.api.operations import Operation, Query, answer, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.api.views import log as log_views
from stepwell.platform.history import History
from stepwell.platform.reading.logs import MOST_LINES


class LogsQuery(Query):
    """Which lines."""

    after: int = Field(default=0, ge=0, le=1 << 53, description="number of the last line that is known")
    limit: int = Field(default=100, ge=1, le=MOST_LINES)


class LogsApi:
    """The endpoint `/api/v1/runs/{id}/logs`."""

    def __init__(self, history: History) -> None:
        self._history = history

    def operations(self) -> Iterator[Operation]:
        """The row of the route table."""
        about = "Lines that a run has logged or printed, oldest first"
        yield Operation("GET", "/api/v1/runs/{id}/logs", "list_logs", about, self.logs, Logs, LogsQuery, (404,))

    async def logs(self, request: Request) -> ASGIApp:
        """GET /runs/{id}/logs."""
        query = parameters(request, LogsQuery)
        # What code says of payloads nobody can tell from the rest.
        required(request, Scope.READ).require_payloads()
        id = request.path_params["id"]
        page = await self._history.logs(id, after=query.after, limit=query.limit)
        if page is None:
            raise not_found("run", id)
        return answer(log_views.logs(page))
