"""Doing something to all runs of a list: whether it is meant, how far it has come, and stopping it."""

from collections.abc import Iterator, Mapping

from pydantic import ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.bulk.preview import preview_view
from stepwell.dashboard.bulk.query import BulkQuery
from stepwell.dashboard.bulk.view import MOST_RUNS, JobPageView, JobsView, job_view
from stepwell.dashboard.forms import Form
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.api.searching import check_search, understood
from stepwell.platform.api.steering import refusals
from stepwell.platform.bulk.job import Job
from stepwell.platform.bulk.preview import preview_of
from stepwell.platform.ids import is_id
from stepwell.platform.installation import Installation
from stepwell.platform.reading.where import where_of_run


class JobsQuery(Query):
    """Which jobs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    cursor: str | None = None


class BulkPage:
    """`/bulk`, `/bulk/new` and `/bulk/{id}`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._jobs = installation.bulk
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where they are."""
        yield reading("/bulk", self.all)
        yield reading("/bulk/new", self.preview)
        yield acting("/bulk", self.begin)
        yield reading("/bulk/{id}", self.show)
        yield acting("/bulk/{id}/stop", self.stop)
        yield acting("/bulk/{id}/resume", self.resume)

    async def all(self, request: Request) -> Response:
        """GET /bulk."""
        cursor = parameters(request, JobsQuery).cursor
        if cursor is not None and not is_id(cursor):
            raise Problem(400, "bad_cursor", f"cursor {cursor[:80]!r} is not one", "Open the list from its beginning")
        jobs, following = await self._jobs.page(cursor, MOST_RUNS)
        now, payloads = self._installation.clock.now(), required(request, Scope.READ).payloads
        shown = tuple(job_view(job, now, payloads=payloads) for job in jobs)
        return self._renderer.page(request, "bulk.html", JobsView(shown, following and f"/bulk?cursor={following}"))

    async def preview(self, request: Request) -> Response:
        """GET /bulk/new: what would be done, before it is."""
        grant = required(request, Scope.OPERATE)
        query = parameters(request, BulkQuery)
        self._check(request, query)
        now = self._installation.clock.now()
        order = query.order(now)
        with refusals():
            order.check(all_runs=True)
        found = await preview_of(self._installation.history, order, now)
        view = preview_view(found, query.list_url(), now, payloads=grant.payloads)
        return self._renderer.page(request, "bulk-new.html", view)

    async def begin(self, request: Request, form: Form) -> Response:
        """POST /bulk: leads to the job."""
        query = _query(form)
        self._check(request, query)
        order, by = query.order(self._installation.clock.now()), required(request, Scope.OPERATE).name
        with refusals():
            id = await self._jobs.begin(order, by, query.request, all_runs=form.get("all") == "true")
        return RedirectResponse(f"/bulk/{id}", 303)

    async def show(self, request: Request) -> Response:
        """GET /bulk/{id}."""
        id = request.path_params["id"]
        job, runs = await self._job(id), await self._jobs.handled(id)
        payloads = required(request, Scope.READ).payloads
        view = job_view(job, self._installation.clock.now(), payloads=payloads)
        shown = tuple(runs[:MOST_RUNS])
        page = JobPageView(view, shown, len(runs) - len(shown))
        return self._renderer.page(request, "bulk-job.html", page)

    async def stop(self, request: Request, _: Form) -> Response:
        """POST /bulk/{id}/stop."""
        id = request.path_params["id"]
        await self._job(id)
        await self._jobs.stop(id)
        return RedirectResponse(f"/bulk/{id}", 303)

    async def resume(self, request: Request, _: Form) -> Response:
        """POST /bulk/{id}/resume."""
        id = request.path_params["id"]
        await self._job(id)
        with refusals():
            await self._jobs.resume(id)
        return RedirectResponse(f"/bulk/{id}", 303)

    async def _job(self, id: str) -> Job:
        job = await self._jobs.get(id)
        if job is None:
            raise not_found("bulk job", id)
        return job

    def _check(self, request: Request, query: BulkQuery) -> None:
        """Raises a `Problem` for an expression that is none, or that the caller may not ask."""
        check_search(request, query.q)
        understood(query.q, where_of_run, "event, output, error and run")


def _query(form: Mapping[str, str]) -> BulkQuery:
    try:
        return BulkQuery.model_validate({name: value for name, value in form.items() if value})
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name, given = str(wrong["loc"][0]), form.get(str(wrong["loc"][0]), "")[:80]
        hint = "Open the list of runs, and choose there what is to be done"
        raise Problem(422, "unfit", f"{name} is {given!r}: {wrong['msg']}", hint) from None
