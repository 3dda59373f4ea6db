"""The list of runs."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.asked import origin_of, without_blanks
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.runs.query import RunsQuery
from stepwell.dashboard.runs.view import runs_view
from stepwell.platform.api.operations import parameters
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.searching import check_search
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import BadCursor


class RunsPage:
    """`/runs`. `dev` is for what is taught where there are no runs."""

    def __init__(self, installation: Installation, renderer: Renderer, *, dev: bool) -> None:
        self._installation = installation
        self._renderer = renderer
        self._dev = dev

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/runs", self.show)

    async def show(self, request: Request) -> Response:
        """GET /runs."""
        if "" in request.query_params.values():
            return RedirectResponse(without_blanks(request), 307)
        query = parameters(request, RunsQuery)
        check_search(request, query.q)
        try:
            view = await runs_view(self._installation, query, origin_of(request), dev=self._dev)
        except BadCursor as error:
            raise Problem(400, "bad_cursor", str(error), "Open the list from its beginning") from None
        return self._renderer.page(request, "runs.html", view)
