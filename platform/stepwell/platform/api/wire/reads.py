"""`/v1/events` and `/v1/runs`: what those read and cancel who know the SDK protocol."""

from collections.abc import Awaitable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.wire import telling
from stepwell.platform.api.wire.counter import Asked, Counter
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import BadCursor
from stepwell.platform.records import EventRecord

LIMIT, MOST = 20, 100
"""Events of a page."""


class ReadsApi:
    """Endpoints of `/v1/events` and `/v1/runs`.

    Args:
        counter: lets callers in.
        installation: what is read and steered.
    """

    def __init__(self, counter: Counter, installation: Installation) -> None:
        self._counter = counter
        self._installation = installation
        self._history = installation.history

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._route("GET", "/v1/events", self.events)
        yield self._route("GET", "/v1/events/{id}", self.event)
        yield self._route("GET", "/v1/events/{id}/runs", self.event_runs)
        yield self._route("GET", "/v1/runs/{id}", self.run)
        yield self._route("DELETE", "/v1/runs/{id}", self.cancel, Scope.OPERATE)

    def _route(self, method: str, path: str, asked: Asked, needs: Scope = Scope.READ) -> Route:
        async def enveloped(request: Request) -> Any:
            return await self._envelope(asked(request))

        return self._counter.route(method, path, enveloped, needs)

    async def _envelope(self, data: Awaitable[Any]) -> dict[str, Any]:
        now = telling.moment(self._installation.clock.now())
        return {"data": await data, "metadata": {"fetched_at": now, "cached_until": now}}

    async def events(self, request: Request) -> Any:
        """GET /v1/events."""
        query = request.query_params
        name, after = query.get("name"), _time(query.get("received_after"))
        try:
            page = await self._history.events(
                name or None, cursor=query.get("cursor"), limit=_limit(query.get("limit"))
            )
        except BadCursor as error:
            raise Problem(400, "bad_cursor", str(error)) from None
        return [telling.stored_event(record) for record in page.items if record.received > after]

    async def event(self, request: Request) -> Any:
        """GET /v1/events/{id}."""
        return telling.stored_event(await self._event(request))

    async def event_runs(self, request: Request) -> Any:
        """GET /v1/events/{id}/runs."""
        return [telling.run(view) for view in await self._history.event_runs(await self._event(request))]

    async def run(self, request: Request) -> Any:
        """GET /v1/runs/{id}."""
        id = request.path_params["id"]
        view = await self._history.run(id)
        if view is None:
            raise not_found("run", id)
        return telling.run(view)

    async def cancel(self, request: Request) -> Any:
        """DELETE /v1/runs/{id}."""
        await self.run(request)
        id = request.path_params["id"]
        await self._installation.runs_at(id).cancel(id)
        return await self.run(request)

    async def _event(self, request: Request) -> EventRecord:
        id = request.path_params["id"]
        record = await self._history.event(id)
        if record is None:
            raise not_found("event", id)
        return record


def _time(text: str | None) -> int:
    try:
        return telling.time_of(text) if text else -1
    except ValueError as error:
        raise Problem(400, "invalid_parameter", f"received_after: {error}") from None


def _limit(text: str | None) -> int:
    if not text:
        return LIMIT
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST:
        raise Problem(400, "invalid_parameter", f"limit is {text[:40]!r}, and may be 1 to {MOST}")
    return int(text)
