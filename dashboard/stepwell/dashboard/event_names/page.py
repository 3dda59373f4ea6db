"""The names of events."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.event_names.view import names_view
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.installation import Installation


class EventNamesPage:
    """`/events/names`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/events/names", self.show)

    async def show(self, request: Request) -> Response:
        """GET /events/names."""
        return self._renderer.page(request, "event-names.html", await names_view(self._installation))
