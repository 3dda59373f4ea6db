"""Which page is at which address."""

from collections.abc import Iterator
from typing import Protocol

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Scope

from stepwell.dashboard.address import Address
from stepwell.dashboard.bulk.page import BulkPage
from stepwell.dashboard.event.page import EventPage
from stepwell.dashboard.event_names.page import EventNamesPage
from stepwell.dashboard.events.page import EventsPage
from stepwell.dashboard.find.page import FindPage
from stepwell.dashboard.function.page import FunctionPage
from stepwell.dashboard.functions.page import FunctionsPage
from stepwell.dashboard.home.page import HomePage
from stepwell.dashboard.nowhere import Nowhere
from stepwell.dashboard.queues.page import QueuesPage
from stepwell.dashboard.rendering import Frame, Renderer
from stepwell.dashboard.run.acting import RunActing
from stepwell.dashboard.run.page import RunPage
from stepwell.dashboard.run.rerun import RerunPage
from stepwell.dashboard.run.resolve import ResolvePage
from stepwell.dashboard.runs.page import RunsPage
from stepwell.dashboard.runs.selected import SelectedRuns
from stepwell.dashboard.schedules.page import SchedulesPage
from stepwell.dashboard.send.page import SendPage
from stepwell.dashboard.sign_in.page import SignInPage
from stepwell.dashboard.static_files import StaticFiles
from stepwell.dashboard.system.page import SystemPage
from stepwell.dashboard.theme.page import ThemePage
from stepwell.dashboard.workers.page import WorkersPage
from stepwell.platform.api.problems import Problem
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.installation import Installation

SHOWN = (Problem, StoreUnavailable, StoreFull)
"""What ends a request with a page that says what was wrong; the rest is for the server, which logs it."""


class Place(Protocol):
    """One or more pages that belong together."""

    def addresses(self) -> Iterator[Address]:
        """Where they are."""
        ...


def routes(installation: Installation, *, dev: bool = False) -> list[BaseRoute]:
    """The routes of the dashboard, to be mounted at the root of an application that also has `/api/v1/stream`.

    The application, a `Front`, says of each request what its caller may do.

    Args:
        installation: what the pages read, and act on.
        dev: whether this is `stepwell dev`; pages without runs then teach with commands that fit.
    """
    renderer = Renderer(Frame(dev=dev), installation.clock)
    places: tuple[Place, ...] = (
        HomePage(installation, renderer, dev=dev),
        RunsPage(installation, renderer, dev=dev),
        SelectedRuns(installation),
        RunPage(installation, renderer),
        RerunPage(installation, renderer),
        ResolvePage(installation, renderer),
        RunActing(installation),
        BulkPage(installation, renderer),
        EventsPage(installation, renderer),
        EventNamesPage(installation, renderer),
        SendPage(installation, renderer),
        EventPage(installation, renderer),
        QueuesPage(installation, renderer),
        WorkersPage(installation, renderer, dev=dev),
        SystemPage(installation, renderer, dev=dev),
        FindPage(installation, renderer),
        FunctionsPage(installation, renderer, dev=dev),
        FunctionPage(installation, renderer),
        SchedulesPage(installation, renderer),
        ThemePage(),
        SignInPage(renderer, installation.clock),
    )
    guarded = [Middleware(ExceptionMiddleware, handlers=dict.fromkeys(SHOWN, renderer.problem))]
    found = [address for place in places for address in place.addresses()]
    return [
        *[Route(one.path, one.endpoint, methods=[one.method], middleware=guarded) for one in found],
        Mount("/static", StaticFiles()),
        *[Last(one.path, one.endpoint, methods=[one.method], middleware=guarded) for one in Nowhere().addresses()],
    ]


class Last(Route):
    """A route for paths that no other one is for, not even with another method: those are answered with 405."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Never fully: the first route that matches in part is taken when none does so in full."""
        match, child = super().matches(scope)
        return (Match.PARTIAL if match is Match.FULL else Match.NONE), child
