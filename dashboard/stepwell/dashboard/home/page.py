"""The first page: how much goes on, and what needs attention."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.asked import origin_of
from stepwell.dashboard.home.query import HomeQuery
from stepwell.dashboard.home.view import home_view
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.api.operations import parameters
from stepwell.platform.installation import Installation


class HomePage:
    """`/`. `dev` is for what is taught where nothing is registered."""

    def __init__(self, installation: Installation, renderer: Renderer, *, dev: bool) -> None:
        self._installation = installation
        self._renderer = renderer
        self._dev = dev

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/", self.show)

    async def show(self, request: Request) -> Response:
        """GET /."""
        query = parameters(request, HomeQuery)
        view = await home_view(self._installation, query, origin_of(request), dev=self._dev)
        return self._renderer.page(request, "home.html", view)
