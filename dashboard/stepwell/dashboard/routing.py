"""Which page is at which address."""

from collections.abc import Awaitable, Callable

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from stepwell.dashboard.rendering import Frame, Renderer
from stepwell.dashboard.run.page import RunPage
from stepwell.dashboard.runs.page import RunsPage
from stepwell.dashboard.static_files import StaticFiles
from stepwell.platform.api.problems import Problem
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.installation import Installation

Endpoint = Callable[[Request], Awaitable[Response]]

SHOWN = (Problem, StoreUnavailable, StoreFull)
"""What ends a request with a page that says what was wrong; the rest is for the server, which logs it."""


def routes(installation: Installation, *, dev: bool = False) -> list[BaseRoute]:
    """The routes of the dashboard, to be mounted at the root of an application that also has `/api/v1/stream`.

    The addresses are `/`, `/runs`, `/runs/{id}` with what belongs to it, and `/static/…`. Who may see them is for the
    application to decide.

    Args:
        installation: of it are used `history` and `registry` to read, `runs_at` to act, `clock` to tell the time.
        dev: whether this is `stepwell dev`; pages without runs then teach with commands that fit.
    """
    renderer = Renderer(Frame(dev=dev), installation.clock)
    runs, run = RunsPage(installation, renderer, dev=dev), RunPage(installation, renderer)
    guarded = [Middleware(ExceptionMiddleware, handlers=dict.fromkeys(SHOWN, renderer.problem))]

    def route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        return Route(path, endpoint, methods=[method], middleware=guarded)

    return [
        route("/", _home),
        route("/runs", runs.show),
        route("/runs/{id}", run.show),
        route("/runs/{id}/payload", run.payload),
        route("/runs/{id}/cancel", run.cancel, "POST"),
        Mount("/static", StaticFiles()),
    ]


async def _home(_: Request) -> Response:
    return RedirectResponse("/runs", 307)
