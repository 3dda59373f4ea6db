"""Paths at which there is no page."""

from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address
from stepwell.platform.api.door import API
from stepwell.platform.api.problems import Problem, problem_of


class Nowhere:
    """Every path that nothing else is at: to be routed last."""

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield Address("GET", "/{path:path}", self.nothing)

    async def nothing(self, request: Request) -> Response:
        """GET anything: a page for who reads pages, and for programs what the API says."""
        path = request.url.path
        if path.startswith(API) or "text/html" not in request.headers.get("accept", ""):
            return problem_of(HTTPException(404)).response()
        shown = path if len(path) <= 80 else f"{path[:80]}…"
        raise Problem(404, "not_found", f"there is no page at {shown!r}", "The header leads to all that there are")
