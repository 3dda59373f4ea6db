"""One event, what became of it, and its data."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.asked import origin_of
from stepwell.dashboard.event.view import event_view
from stepwell.dashboard.rendering import HEADERS, Renderer
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.codec import encode
from stepwell.platform.installation import Installation


class EventPage:
    """`/events/{id}` and what is below it."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/events/{id}", self.show)
        yield reading("/events/{id}/data", self.data)

    async def show(self, request: Request) -> Response:
        """GET /events/{id}."""
        id, seen = request.path_params["id"], required(request, Scope.READ).payloads
        known = "known" in request.query_params
        view = await event_view(self._installation, id, origin_of(request), seen=seen, known=known)
        if view is None:
            raise not_found("event", id)
        return self._renderer.page(request, "event.html", view)

    async def data(self, request: Request) -> Response:
        """GET /events/{id}/data: as JSON."""
        required(request, Scope.READ).require_payloads()
        event = await self._installation.history.event(request.path_params["id"])
        if event is None:
            raise not_found("event", request.path_params["id"])
        return Response(encode(event.data), media_type="application/json", headers=HEADERS)
