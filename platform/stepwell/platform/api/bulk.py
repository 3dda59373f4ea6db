"""Bulk jobs: seeing what they would do, making them, following them, stopping them."""

from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.bodies import MAY, Body, body_of
from stepwell.platform.api.models.answer import Item, Page
from stepwell.platform.api.models.bulk import BulkAction, BulkJob, BulkPreview
from stepwell.platform.api.operations import NoQuery, Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.api.searching import check_search
from stepwell.platform.api.steering import refusals
from stepwell.platform.api.views import bulk as bulk_views
from stepwell.platform.api.wanted import RunFields, filter_of
from stepwell.platform.bulk.order import MOST_RATE, RATE, BulkOrder
from stepwell.platform.bulk.preview import preview_of
from stepwell.platform.ids import is_id
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import MOST_ITEMS, BadCursor


class BulkFields(RunFields):
    """What is to be done, and to which runs."""

    action: BulkAction = Field(
        description=(
            "cancel, of runs that have not ended; rerun, of those that have; retry: what is about to be tried again is "
            "tried now"
        )
    )
    from_failed: bool = Field(default=False, description="rerun from the step by which each has failed")

    def order(self, rate: int = RATE) -> BulkOrder:
        """As it is carried out. Raises a `Problem` when the expression is none."""
        wanted = self.wanted()
        filter_of(wanted)
        return BulkOrder(self.action, wanted, self.from_failed, rate)


class PreviewQuery(BulkFields, Query):
    """What a job would be asked for."""


class BulkBody(BulkFields, Body):
    """What a job is asked for."""

    rate: int = Field(default=RATE, description=f"runs per second, at most: 1 to {MOST_RATE}")
    all: bool = Field(default=False, description="without a filter, all runs are meant")
    request: str | None = Field(
        default=None, description="an id of your own: asked again with the same within a day, there is one job"
    )


class JobsQuery(Query):
    """Which jobs."""

    limit: int = Field(default=50, ge=1, le=MOST_ITEMS)
    cursor: str | None = Field(default=None, description="`next` of the page before")


class BulkApi:
    """Endpoints of `/api/v1/bulk`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._jobs = installation.bulk

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        jobs, job = "/api/v1/bulk", "/api/v1/bulk/{id}"
        about = "What a bulk job would do, and why the runs have failed that it is for"
        yield Operation(
            "GET", f"{jobs}/preview", "preview_bulk", about, self.preview, Item[BulkPreview], PreviewQuery, (409, 422)
        )
        about = "Bulk jobs, newest first"
        yield Operation("GET", jobs, "list_bulk", about, self.page, Page[BulkJob], JobsQuery)
        yield Operation("GET", job, "get_bulk", "One bulk job", self.get, Item[BulkJob], problems=(404,))
        about = "Ids of the first 1,000 runs that a bulk job has created, or else steered"
        yield Operation("GET", f"{job}/runs", "list_bulk_runs", about, self.runs, Item[list[str]], problems=(404,))
        about = "Cancel many runs, do them again, or try them again now; answers the job that does it"
        may = (403, 409, *MAY)
        yield Operation(
            "POST",
            jobs,
            "begin_bulk",
            about,
            self.begin,
            Item[BulkJob],
            problems=may,
            body=BulkBody,
            needs=Scope.OPERATE,
        )
        about = "Stop a bulk job; what it has done stays done. May be repeated"
        yield Operation(
            "POST",
            f"{job}/stop",
            "stop_bulk",
            about,
            self.stop,
            Item[BulkJob],
            problems=(403, 404),
            needs=Scope.OPERATE,
        )

        about = "Have a bulk job that was stopped go on where it was. May be repeated"
        yield Operation(
            "POST",
            f"{job}/resume",
            "resume_bulk",
            about,
            self.resume,
            Item[BulkJob],
            problems=(403, 404, 409),
            needs=Scope.OPERATE,
        )

    async def preview(self, request: Request) -> ASGIApp:
        """GET /bulk/preview."""
        query = parameters(request, PreviewQuery)
        check_search(request, query.q)
        order = query.order()
        with refusals():
            # What it would do to all runs may be seen by all.
            order.check(all_runs=True)
        there = self._installation
        return answer(
            Item[BulkPreview](data=bulk_views.preview(await preview_of(there.history, order, there.clock.now())))
        )

    async def begin(self, request: Request) -> ASGIApp:
        """POST /bulk."""
        parameters(request, NoQuery)
        body = await body_of(request, BulkBody)
        check_search(request, body.q)
        order, by = body.order(body.rate), required(request, Scope.OPERATE).name
        with refusals():
            id = await self._jobs.begin(order, by, body.request, all_runs=body.all)
        return await self._answer(id)

    async def page(self, request: Request) -> ASGIApp:
        """GET /bulk."""
        query = parameters(request, JobsQuery)
        if query.cursor is not None and not is_id(query.cursor):
            raise Problem(400, "bad_cursor", str(BadCursor(query.cursor)), "Leave it out to begin at the newest")
        jobs, following = await self._jobs.page(query.cursor, query.limit)
        return answer(Page[BulkJob](data=[bulk_views.job(job) for job in jobs], next=following))

    async def get(self, request: Request) -> ASGIApp:
        """GET /bulk/{id}."""
        parameters(request, NoQuery)
        return await self._answer(request.path_params["id"])

    async def runs(self, request: Request) -> ASGIApp:
        """GET /bulk/{id}/runs."""
        parameters(request, NoQuery)
        id = request.path_params["id"]
        if await self._jobs.get(id) is None:
            raise not_found("bulk job", id)
        return answer(Item[list[str]](data=await self._jobs.handled(id)))

    async def stop(self, request: Request) -> ASGIApp:
        """POST /bulk/{id}/stop."""
        parameters(request, NoQuery)
        id = request.path_params["id"]
        if is_id(id):
            await self._jobs.stop(id)
        return await self._answer(id)

    async def resume(self, request: Request) -> ASGIApp:
        """POST /bulk/{id}/resume."""
        parameters(request, NoQuery)
        id = request.path_params["id"]
        if is_id(id):
            with refusals():
                await self._jobs.resume(id)
        return await self._answer(id)

    async def _answer(self, id: str) -> ASGIApp:
        job = await self._jobs.get(id)
        if job is None:
            raise not_found("bulk job", id)
        return answer(Item[BulkJob](data=bulk_views.job(job)))
