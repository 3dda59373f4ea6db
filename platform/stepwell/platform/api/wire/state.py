"""What a served function reads of its run when that is too large to come with its call: events, and what steps did."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire import telling
from stepwell.platform.api.wire.counter import Counter
from stepwell.platform.history import History
from stepwell.platform.wire.memos import memos


class StateApi:
    """`GET /v0/runs/{id}/batch` and `/actions`.

    Args:
        counter: lets callers in.
        history: reads.
    """

    def __init__(self, counter: Counter, history: History) -> None:
        self._counter = counter
        self._history = history

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("GET", "/v0/runs/{id}/batch", self.batch, Scope.READ)
        yield self._counter.route("GET", "/v0/runs/{id}/actions", self.actions, Scope.READ)

    async def batch(self, request: Request) -> Any:
        """GET …/batch."""
        id = request.path_params["id"]
        view = await self._history.run(id)
        if view is None:
            raise _gone(id)
        records = [await self._history.event(event) for event in view.events]
        return [telling.event(record) for record in records if record]

    async def actions(self, request: Request) -> Any:
        """GET …/actions."""
        id = request.path_params["id"]
        rows = await self._history.steps(id)
        if rows is None:
            raise _gone(id)
        return memos(rows)


def _gone(run: str) -> Problem:
    return Problem(410, "gone", f"there is no run {run[:80]!r}, or not any more")
