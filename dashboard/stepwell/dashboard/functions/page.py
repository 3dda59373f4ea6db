"""The list of functions."""

from collections.abc import Iterator

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.functions.view import functions_view
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.installation import Installation


class FunctionsQuery(Query):
    """Which functions."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    q: str = Field("", max_length=600)
    app: str = Field("", max_length=64)
    page: int = Field(1, ge=1, le=1_000_000)


class FunctionsPage:
    """`/functions`. `dev` is for what is taught where there are none."""

    def __init__(self, installation: Installation, renderer: Renderer, *, dev: bool) -> None:
        self._installation = installation
        self._renderer = renderer
        self._dev = dev

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/functions", self.show)

    async def show(self, request: Request) -> Response:
        """GET /functions."""
        query = parameters(request, FunctionsQuery)
        view = await functions_view(self._installation, query.q.strip(), query.app, query.page, dev=self._dev)
        return self._renderer.page(request, "functions.html", view)
