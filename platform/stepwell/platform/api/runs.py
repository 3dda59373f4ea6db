"""Runs: reading them, waiting for them, cancelling them."""

import asyncio
from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.endings import Endings
from stepwell.platform.api.held import Held
from stepwell.platform.api.models.answer import Found, Item
from stepwell.platform.api.models.run import Run, RunSummary, Step
from stepwell.platform.api.operations import NoQuery, Operation, Query, answer, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.searching import check_search, found, searched
from stepwell.platform.api.views import run as run_views
from stepwell.platform.api.wanted import RunFields, filter_of
from stepwell.platform.history import RunView
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import MOST_ITEMS


class RunsQuery(RunFields, Query):
    """Which runs; every filter that is given has to hold."""

    limit: int = Field(default=50, ge=1, le=MOST_ITEMS)
    cursor: str | None = Field(default=None, description="`next` of the page before")


class WaitQuery(Query):
    """Whether to wait."""

    wait: bool = Field(
        default=False, description="hold the response open until it has ended; a blank every 15 s meanwhile"
    )


class RunsApi:
    """Endpoints of `/api/v1/runs`. `closing` is set when the server is about to stop."""

    def __init__(self, installation: Installation, endings: Endings, closing: asyncio.Event) -> None:
        self._installation = installation
        self._history = installation.history
        self._endings = endings
        self._closing = closing

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        runs, run = "/api/v1/runs", "/api/v1/runs/{id}"
        yield Operation("GET", runs, "list_runs", "Runs, newest first", self.page, Found[RunSummary], RunsQuery)
        yield Operation("GET", run, "get_run", "One run", self.get, Item[Run], WaitQuery, (404,))
        yield Operation(
            "GET", f"{run}/steps", "list_steps", "The steps of a run", self.steps, Item[list[Step]], problems=(404,)
        )
        about = "Cancel a run; one that is executing ends at its next step or await. May be repeated"
        yield Operation(
            "POST",
            f"{run}/cancel",
            "cancel_run",
            about,
            self.cancel,
            Item[Run],
            problems=(403, 404),
            needs=Scope.OPERATE,
        )

    async def page(self, request: Request) -> ASGIApp:
        """GET /runs."""
        query = parameters(request, RunsQuery)
        check_search(request, query.q)
        page = await searched(self._history.runs(filter_of(query.wanted()), cursor=query.cursor, limit=query.limit))
        return answer(found([run_views.run_summary(item) for item in page.items], page))

    async def get(self, request: Request) -> ASGIApp:
        """GET /runs/{id}."""
        id = request.path_params["id"]
        if not parameters(request, WaitQuery).wait:
            return answer(_item(await self._run(id)))

        async def ended() -> RunView | None:
            view = await self._run(id)
            return view if view.run.status.ended else None

        async def body() -> Item[Run]:
            return _item(await self._endings.await_end([id], ended))

        return Held(body, self._closing)

    async def steps(self, request: Request) -> ASGIApp:
        """GET /runs/{id}/steps."""
        parameters(request, NoQuery)
        id = request.path_params["id"]
        rows = await self._history.steps(id)
        if rows is None:
            raise not_found("run", id)
        children, said, tries, underway = await asyncio.gather(
            self._history.children(id, rows),
            self._history.progress(id),
            self._history.tries(id, rows),
            self._history.underway(id),
        )
        steps = [
            run_views.step(index, row, children.get(row.key), said.get(row.key), tries.get(row.key, ()))
            for index, row in enumerate(rows)
        ]
        return answer(Item[list[Step]](data=run_views.with_underway(steps, underway, said)))

    async def cancel(self, request: Request) -> ASGIApp:
        """POST /runs/{id}/cancel."""
        parameters(request, NoQuery)
        id = request.path_params["id"]
        await self._run(id)
        await self._installation.runs_at(id).cancel(id)
        return answer(_item(await self._run(id)))

    async def _run(self, id: str) -> RunView:
        view = await self._history.run(id)
        if view is None:
            raise not_found("run", id)
        return view


def _item(view: RunView) -> Item[Run]:
    return Item[Run](data=run_views.run(view))
