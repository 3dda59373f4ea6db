"""From a view model to a response: templates, and the headers of every page."""

from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from stepwell.dashboard.theme.choice import THEMES, theme_of
from stepwell.dashboard.visitor import visitor_of
from stepwell.dashboard.wording.texts import capital, short
from stepwell.platform.api.problems import problem_of
from stepwell.platform.clock import Clock

FRAGMENT = "Stepwell-Fragment"
"""Request header of those who want only the part of a page that changes."""

HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        # Not no-referrer: browsers would then send our own forms with the origin "null".
        "Referrer-Policy": "same-origin",
        "Vary": FRAGMENT,
    }
)


@dataclass(frozen=True, slots=True)
class View:
    """A page that the header leads to, and the letter that does so after `g`."""

    label: str
    url: str
    key: str


VIEWS = (
    View("Home", "/", "h"),
    View("Runs", "/runs", "r"),
    View("Events", "/events", "e"),
    View("Functions", "/functions", "f"),
    View("Schedules", "/schedules", "s"),
    View("Queues", "/queues", "q"),
    View("Workers", "/workers", "w"),
    View("System", "/system", "y"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around every page."""

    dev: bool
    version: str = version("stepwell")
    views: tuple[View, ...] = VIEWS


@dataclass(frozen=True, slots=True)
class ProblemView:
    """Why there is no page. `title` says it in a few words."""

    status: int
    title: str
    message: str
    hint: str


class Renderer:
    """Renders the templates of the dashboard. `clock` tells the pages what time the server has."""

    def __init__(self, frame: Frame, clock: Clock) -> None:
        self._frame = frame
        self._clock = clock
        self._environment = Environment(
            loader=PackageLoader("stepwell.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters |= {"capital": capital, "short": short}

    def page(self, request: Request, template: str, view: object, status: int = 200) -> Response:
        """A page, or only its changing part when `request` asks for that."""
        layout = "fragment" if FRAGMENT in request.headers else "page"
        html = self._environment.get_template(template).render(
            view=view,
            layout=f"layout/{layout}.html",
            frame=self._frame,
            visitor=visitor_of(request),
            theme=theme_of(request),
            themes=THEMES,
            now=self._clock.now(),
        )
        return HTMLResponse(html, status, HEADERS)

    async def problem(self, request: Request, error: Exception) -> Response:
        """The exception handler of the pages: what was wrong, and what to do about it."""
        problem = problem_of(error)
        view = ProblemView(problem.status, HTTPStatus(problem.status).phrase, problem.message, problem.hint)
        response = self.page(request, "problem.html", view, problem.status)
        response.headers.update(problem.headers)
        return response
