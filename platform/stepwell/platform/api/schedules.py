"""Schedules: reading and steering them."""

from collections.abc import Awaitable, Callable, Iterator, Mapping

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.schedule import Backfill, Schedule, ScheduleDetail, StartedRun
from stepwell.platform.api.operations import NoQuery, Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.views import schedule as schedule_views
from stepwell.platform.cron.schedules import HeldBack, Schedules, ScheduleView, TooManyTimes
from stepwell.platform.flow.refusal import Reason
from stepwell.platform.incoming import EARLIEST, LATEST

HINTS: Mapping[Reason, str] = {
    "paused": "Resume the function first",
    "duplicate": "Rerun that one, which its key does not hold back, or wait until the period of the key is over",
    "rate_limited": "Try again when the period of its limit is over",
    "singleton": "Wait until that one has ended, or cancel it",
}
"""What to do when a run cannot be started now."""


class SchedulesQuery(Query):
    """Which schedules."""

    function: str | None = Field(default=None, max_length=129, description="as app/function")


class RangeQuery(Query):
    """A range of times, in ms UTC."""

    from_: int = Field(alias="from", ge=EARLIEST, le=LATEST, description="the first time that counts, ms UTC")
    to: int | None = Field(default=None, ge=EARLIEST, le=LATEST, description="the first that does not; default: now")


class SchedulesApi:
    """Endpoints of `/api/v1/schedules`."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        all_of_them, one = "/api/v1/schedules", "/api/v1/schedules/{app}/{function}/{schedule}"
        about = "The schedules of all functions, or of one"
        yield Operation("GET", all_of_them, "list_schedules", about, self.all, Item[list[Schedule]], SchedulesQuery)
        about = "One schedule, and its next times"
        yield Operation("GET", one, "get_schedule", about, self.get, Item[ScheduleDetail], problems=(404,))
        for verb, about, endpoint in (
            ("pause", "Let a schedule rest. May be repeated", self.pause),
            ("resume", "End the rest of a schedule; what it missed is caught up with. May be repeated", self.resume),
            ("skip", "Leave out the next time of a schedule. May be repeated until it has come", self.skip),
        ):
            path, name = f"{one}/{verb}", f"{verb}_schedule"
            yield Operation(
                "POST", path, name, about, endpoint, Item[ScheduleDetail], problems=(403, 404), needs=Scope.OPERATE
            )
        about = "Start a run now, beside the plan"
        may = (403, 404, 409)
        yield Operation(
            "POST", f"{one}/run", "run_schedule", about, self.run, Item[StartedRun], problems=may, needs=Scope.OPERATE
        )
        about = "Start the runs of all times of a range that have none"
        path, name = f"{one}/backfill", "backfill_schedule"
        yield Operation(
            "POST", path, name, about, self.backfill, Item[Backfill], RangeQuery, (403, 404), needs=Scope.OPERATE
        )

    async def all(self, request: Request) -> ASGIApp:
        """GET /schedules."""
        query = parameters(request, SchedulesQuery)
        found = await self._schedules.all(query.function)
        return answer(Item[list[Schedule]](data=[schedule_views.schedule(view) for view in found]))

    async def get(self, request: Request) -> ASGIApp:
        """GET /schedules/{app}/{function}/{schedule}."""
        return await self._steer(request, self._schedules.get)

    async def pause(self, request: Request) -> ASGIApp:
        """POST …/pause."""
        return await self._steer(request, self._schedules.pause)

    async def resume(self, request: Request) -> ASGIApp:
        """POST …/resume."""
        return await self._steer(request, self._schedules.resume)

    async def skip(self, request: Request) -> ASGIApp:
        """POST …/skip."""
        return await self._steer(request, self._schedules.skip)

    async def run(self, request: Request) -> ASGIApp:
        """POST …/run."""
        parameters(request, NoQuery)
        id = _id(request)
        try:
            run = await self._schedules.run(id)
        except HeldBack as held:
            raise Problem(409, "not_now", str(held), HINTS[held.refusal.reason]) from None
        if run is None:
            raise not_found("schedule", id)
        return answer(Item[StartedRun](data=StartedRun(run=run)))

    async def backfill(self, request: Request) -> ASGIApp:
        """POST …/backfill."""
        query, id = parameters(request, RangeQuery), _id(request)
        if query.to is not None and query.to <= query.from_:
            message = f"the range from {query.from_} to {query.to} holds no time"
            raise Problem(400, "empty_range", message, "Give a `to` that is later than `from`")
        try:
            done = await self._schedules.backfill(id, query.from_, query.to)
        except TooManyTimes as error:
            raise Problem(400, "too_many_times", str(error), "Backfill a part of it at a time") from None
        if done is None:
            raise not_found("schedule", id)
        return answer(Item[Backfill](data=Backfill(runs=list(done.runs), existing=done.existing)))

    async def _steer(self, request: Request, act: Callable[[str], Awaitable[ScheduleView | None]]) -> ASGIApp:
        parameters(request, NoQuery)
        id = _id(request)
        view = await act(id)
        if view is None:
            raise not_found("schedule", id)
        return answer(Item[ScheduleDetail](data=schedule_views.schedule_detail(view)))


def _id(request: Request) -> str:
    return "{app}/{function}/{schedule}".format_map(request.path_params)
