"""What a served function reads of its run when that is too large to come with its call: what its steps have done."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire.counter import Counter
from stepwell.platform.api.wire.state import gone
from stepwell.platform.history import History
from stepwell.platform.wire.memos import memos


class ActionsApi:
    """`GET /v0/runs/{id}/actions`.

    Args:
        counter: lets callers in.
        history: reads.
    """

    def __init__(self, counter: Counter, history: History) -> None:
        self._counter = counter
        self._history = history

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("GET", "/v0/runs/{id}/actions", self.actions, Scope.READ)

    async def actions(self, request: Request) -> Any:
        """GET …/actions."""
        id = request.path_params["id"]
        rows = await self._history.steps(id)
        if rows is None:
            raise gone(id)
        return memos(rows)
