"""The list of events."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.asked import origin_of, without_blanks
from stepwell.dashboard.events.query import EventsQuery
from stepwell.dashboard.events.view import events_view
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.api.operations import parameters
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.searching import check_search
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import BadCursor


class EventsPage:
    """`/events`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/events", self.show)

    async def show(self, request: Request) -> Response:
        """GET /events: of an expression that is none, what is wrong with it, above the list without it."""
        if "" in request.query_params.values():
            return RedirectResponse(without_blanks(request), 307)
        query = parameters(request, EventsQuery)
        check_search(request, query.q)
        try:
            view = await events_view(self._installation, query, origin_of(request))
        except BadCursor as error:
            raise Problem(400, "bad_cursor", str(error), "Open the list from its beginning") from None
        return self._renderer.page(request, "events.html", view, 400 if view.mistake else 200)
