"""Which page is at which address."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from stepwell.dashboard.forms import Form, sent_form
from stepwell.dashboard.rendering import Frame, Renderer
from stepwell.dashboard.run.page import RunPage
from stepwell.dashboard.runs.page import RunsPage
from stepwell.dashboard.sign_in.page import SignInPage
from stepwell.dashboard.static_files import StaticFiles
from stepwell.platform.api.door import SIGN_IN, SIGN_OUT
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.installation import Installation

Endpoint = Callable[[Request], Awaitable[Response]]
Action = Callable[[Request, Form], Awaitable[Response]]

SHOWN = (Problem, StoreUnavailable, StoreFull)
"""What ends a request with a page that says what was wrong; the rest is for the server, which logs it."""


def routes(installation: Installation, *, dev: bool = False) -> list[BaseRoute]:
    """The routes of the dashboard, to be mounted at the root of an application that also has `/api/v1/stream`.

    The addresses are `/`, `/runs`, `/runs/{id}` with what belongs to it, `/sign-in`, `/sign-out` and `/static/…`. The
    application, a `Front`, says of each request what its caller may do.

    Args:
        installation: of it are used `history` and `registry` to read, `runs_at` to act, `clock` to tell the time.
        dev: whether this is `stepwell dev`; pages without runs then teach with commands that fit.
    """
    renderer = Renderer(Frame(dev=dev), installation.clock)
    runs, run = RunsPage(installation, renderer, dev=dev), RunPage(installation, renderer)
    sign_in = SignInPage(renderer, installation.clock)
    guarded = [Middleware(ExceptionMiddleware, handlers=dict.fromkeys(SHOWN, renderer.problem))]

    def route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
        return Route(path, endpoint, methods=[method], middleware=guarded)

    return [
        route("/", _reading(_home)),
        route("/runs", _reading(runs.show)),
        route("/runs/{id}", _reading(run.show)),
        route("/runs/{id}/payload", _reading(run.payload)),
        route("/runs/{id}/cancel", _operating(run.cancel), "POST"),
        route(SIGN_IN, sign_in.show),
        route(SIGN_IN, sign_in.enter, "POST"),
        route(SIGN_OUT, sign_in.leave, "POST"),
        Mount("/static", StaticFiles()),
    ]


def _reading(endpoint: Endpoint) -> Endpoint:
    """A page for those who may read."""

    @wraps(endpoint)
    async def read(request: Request) -> Response:
        required(request, Scope.READ)
        return await endpoint(request)

    return read


def _operating(action: Action) -> Endpoint:
    """What a form of our own pages, and of no other site's, does for those who may operate."""

    @wraps(action)
    async def act(request: Request) -> Response:
        return await action(request, await sent_form(request, Scope.OPERATE))

    return act


async def _home(_: Request) -> Response:
    return RedirectResponse("/runs", 307)
