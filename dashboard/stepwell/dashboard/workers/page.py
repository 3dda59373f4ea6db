"""Who executes functions."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.workers.view import workers_view
from stepwell.platform.installation import Installation


class WorkersPage:
    """`/workers`. `dev` is for what is taught where there is none."""

    def __init__(self, installation: Installation, renderer: Renderer, *, dev: bool) -> None:
        self._installation = installation
        self._renderer = renderer
        self._dev = dev

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/workers", self.show)

    async def show(self, request: Request) -> Response:
        """GET /workers."""
        return self._renderer.page(request, "workers.html", await workers_view(self._installation, dev=self._dev))
