"""`/v1/cancellations`: cancelling many runs, as bulk jobs."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.routing import Route

from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.steering import refusals
from stepwell.platform.api.wire.counter import Counter, json_of, understood
from stepwell.platform.api.wire.telling import moment, time_of
from stepwell.platform.bulk.job import Job
from stepwell.platform.bulk.jobs import MOST_AT_ONCE, MOST_ENDED
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.expressions import ExpressionError
from stepwell.platform.installation import Installation
from stepwell.platform.wire.configuration import Given
from stepwell.platform.wire.slugs import function_id

MOST = 100
"""Cancellations that are listed, the newest."""


class Cancellation(Given):
    """Which runs; names are those of the SDK protocol."""

    app_id: str = Field(alias="app_id", min_length=1)
    function_id: str | None = Field(default=None, alias="function_id")
    started_after: str | None = Field(default=None, alias="started_after")
    started_before: str | None = Field(default=None, alias="started_before")
    if_: str | None = Field(default=None, alias="if")

    def wanted(self) -> Wanted:
        """As a filter of ours. Raises `ValueError`."""
        name = self.function_id and f"{self.app_id}/{function_id(self.app_id, self.function_id)}"
        after, before = (time_of(text) if text else None for text in (self.started_after, self.started_before))
        return Wanted(app=self.app_id, function=name or None, after=after, before=before, q=self.if_)


class CancellationsApi:
    """Takes orders to cancel, lists them, and calls them off.

    Args:
        counter: lets callers in.
        installation: whose runs they are.
    """

    def __init__(self, counter: Counter, installation: Installation) -> None:
        self._counter = counter
        self._jobs = installation.bulk

    def routes(self) -> Iterator[Route]:
        """The rows of the route table."""
        yield self._counter.route("POST", "/v1/cancellations", self.begin, Scope.OPERATE)
        yield self._counter.route("GET", "/v1/cancellations", self.all, Scope.READ)
        yield self._counter.route("DELETE", "/v1/cancellations/{id}", self.stop, Scope.OPERATE)

    async def all(self, _: Request) -> Any:
        """GET /v1/cancellations: but for those that were called off."""
        jobs, _more = await self._jobs.page(None, MOST_AT_ONCE + MOST_ENDED)
        going = [job for job in jobs if _is_one(job) and job.state not in ("stopping", "stopped")]
        return {"data": [_told(job) for job in going[:MOST]]}

    async def stop(self, request: Request) -> Any:
        """DELETE /v1/cancellations/{id}: runs that are cancelled already stay so."""
        id = request.path_params["id"]
        job = await self._jobs.get(id)
        if job is None or not _is_one(job):
            raise not_found("cancellation", id)
        await self._jobs.stop(id)
        return {"data": _told(job)}

    async def begin(self, request: Request) -> Any:
        """POST /v1/cancellations."""
        given = understood(Cancellation, await json_of(request))
        try:
            with refusals():
                id = await self._jobs.begin(BulkOrder("cancel", given.wanted()), "")
        except (ValueError, ExpressionError) as error:
            raise Problem(400, "invalid_body", str(error)) from None
        return {"data": {"id": id, **given.model_dump(by_alias=True)}}


def _is_one(job: Job) -> bool:
    """Whether a job is one that this API could have been asked for."""
    wanted = job.order.wanted
    others = wanted.status or wanted.event or wanted.id or wanted.event_id
    return job.order.action == "cancel" and wanted.app is not None and not others


def _told(job: Job) -> dict[str, Any]:
    wanted = job.order.wanted
    return {
        "id": job.id,
        "app_id": wanted.app,
        "function_id": wanted.function and wanted.function.replace("/", "-", 1),
        "started_after": wanted.after and moment(wanted.after),
        "started_before": wanted.before and moment(wanted.before),
        "if": wanted.q,
    }
