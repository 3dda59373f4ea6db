"""What each function has to do."""

import asyncio
from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.depth import Queue
from stepwell.platform.api.operations import Operation, Query, answer, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.views import depth as depth_views
from stepwell.platform.installation import Installation

MOST_FUNCTIONS = 200


class QueuesQuery(Query):
    """Of what."""

    function: str | None = Field(default=None, max_length=129, description="as app/function; without it, the first 200")


class QueuesApi:
    """The endpoint of `/api/v1/queues`."""

    def __init__(self, installation: Installation) -> None:
        self._registry = installation.registry
        self._history = installation.history

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        about = "What each function has to do: runs that are ready, that wait behind a constraint, and that execute"
        yield Operation(
            "GET", "/api/v1/queues", "list_queues", about, self.all, Item[list[Queue]], QueuesQuery, problems=(404,)
        )

    async def all(self, request: Request) -> ASGIApp:
        """GET /queues."""
        wanted = parameters(request, QueuesQuery).function
        known = (await self._registry.load()).functions
        if wanted is not None and wanted not in known:
            raise not_found("function", wanted)
        functions = sorted(known)[:MOST_FUNCTIONS] if wanted is None else [wanted]
        depths, served = await asyncio.gather(self._history.depths(functions), self._history.served(functions))
        found = [depth_views.queue(depths[function], served[function]) for function in functions]
        return answer(Item[list[Queue]](data=found))
