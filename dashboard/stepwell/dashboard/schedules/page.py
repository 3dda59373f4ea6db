"""Schedules: the list of them, each alone, and what is done to them by hand."""

from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlencode

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.forms import Form
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.schedules.times import typed_time
from stepwell.dashboard.schedules.view import schedule_view, schedules_view
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.schedules import HINTS
from stepwell.platform.cron.schedules import HeldBack, ScheduleView, TooManyTimes
from stepwell.platform.incoming import EARLIEST, LATEST
from stepwell.platform.installation import Installation


class SchedulesQuery(Query):
    """Which schedules."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    q: str = Field("", max_length=600)
    page: int = Field(1, ge=1, le=1_000_000)


class ScheduleQuery(Query):
    """What a backfill has done."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    started: int | None = Field(None, ge=0, le=1_000)
    existing: int | None = Field(None, ge=0, le=1_000)


class SchedulesPage:
    """`/schedules` and what is below it."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._schedules = installation.schedules
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        path = "/schedules/{app}/{function}/{schedule}"
        yield reading("/schedules", self.list)
        yield reading(path, self.show)
        yield acting(f"{path}/run", self.run)
        yield acting(f"{path}/skip", self.skip)
        yield acting(f"{path}/pause", self.pause)
        yield acting(f"{path}/resume", self.resume)
        yield acting(f"{path}/backfill", self.backfill)

    async def list(self, request: Request) -> Response:
        """GET /schedules."""
        query = parameters(request, SchedulesQuery)
        view = await schedules_view(self._installation, query.q.strip(), query.page)
        return self._renderer.page(request, "schedules.html", view)

    async def show(self, request: Request) -> Response:
        """GET /schedules/{app}/{function}/{schedule}."""
        query = parameters(request, ScheduleQuery)
        view = await schedule_view(self._installation, _id(request), query.started, query.existing)
        if view is None:
            raise not_found("schedule", _id(request))
        return self._renderer.page(request, "schedule.html", view)

    async def run(self, request: Request, _: Form) -> Response:
        """POST …/run: to the new run."""
        try:
            run = await self._schedules.run(_id(request))
        except HeldBack as held:
            raise Problem(409, "not_now", str(held), HINTS[held.refusal.reason]) from None
        if run is None:
            raise not_found("schedule", _id(request))
        return RedirectResponse(f"/runs/{run}", 303)

    async def skip(self, request: Request, _: Form) -> Response:
        """POST …/skip."""
        return await self._mark(request, self._schedules.skip)

    async def pause(self, request: Request, _: Form) -> Response:
        """POST …/pause."""
        return await self._mark(request, self._schedules.pause)

    async def resume(self, request: Request, _: Form) -> Response:
        """POST …/resume."""
        return await self._mark(request, self._schedules.resume)

    async def _mark(self, request: Request, act: Callable[[str], Awaitable[ScheduleView | None]]) -> Response:
        if await act(_id(request)) is None:
            raise not_found("schedule", _id(request))
        return RedirectResponse(f"/schedules/{_id(request)}", 303)

    async def backfill(self, request: Request, form: Form) -> Response:
        """POST …/backfill: back to the schedule, which says how many runs were started."""
        id = _id(request)
        known = await self._schedules.get(id)
        if known is None:
            raise not_found("schedule", id)
        start = _moment(form, "from", known.schedule.tz)
        end = _moment(form, "to", known.schedule.tz) if form.get("to") else None
        if end is not None and end <= start:
            raise Problem(422, "empty_range", "the range ends before it begins", "Let it end later than it begins")
        try:
            done = await self._schedules.backfill(id, start, end)
        except TooManyTimes as error:
            raise Problem(422, "too_many_times", str(error), "Backfill a part of it at a time") from None
        if done is None:
            raise not_found("schedule", id)
        return RedirectResponse(
            f"/schedules/{id}?{urlencode({'started': len(done.runs), 'existing': done.existing})}", 303
        )


def _moment(form: Form, name: str, tz: str) -> int:
    text = form.get(name, "")
    try:
        found = typed_time(text, tz)
    except (ValueError, OverflowError):
        message = f"the time {text[:40]!r} in the field {name!r} cannot be read"
        raise Problem(422, "unfit", message, "It is written as in 2026-03-29T09:00") from None
    if not EARLIEST <= found <= LATEST:
        raise Problem(422, "unfit", f"the time {text[:40]!r} is not between 1980 and 2100")
    return found


def _id(request: Request) -> str:
    return "{app}/{function}/{schedule}".format_map(request.path_params)
