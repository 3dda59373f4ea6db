"""The platform itself: its servers, its limits, and what it keeps."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.system.view import system_view
from stepwell.platform.installation import Installation


class SystemPage:
    """`/system`. `dev` is what the server calls itself."""

    def __init__(self, installation: Installation, renderer: Renderer, *, dev: bool) -> None:
        self._installation = installation
        self._renderer = renderer
        self._dev = dev

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/system", self.show)

    async def show(self, request: Request) -> Response:
        """GET /system."""
        return self._renderer.page(request, "system.html", await system_view(self._installation, dev=self._dev))
