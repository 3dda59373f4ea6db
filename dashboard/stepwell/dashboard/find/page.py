"""Jumping to what has a name or an id: a page, and what the palette of the other pages shows."""

from collections.abc import Iterator

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.find.view import find_view
from stepwell.dashboard.rendering import FRAGMENT, Renderer
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.installation import Installation


class FindQuery(Query):
    """What somebody has typed."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    q: str = Field("", max_length=600)


class FindPage:
    """`/find`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/find", self.show)

    async def show(self, request: Request) -> Response:
        """GET /find: with a whole id, the way to what has it."""
        view = await find_view(self._installation, parameters(request, FindQuery).q.strip())
        if view.exact and FRAGMENT not in request.headers:
            return RedirectResponse(view.exact, 303)
        return self._renderer.page(request, "find.html", view)
