"""One run, and what is recorded of it in full."""

from collections.abc import Iterator
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, reading
from stepwell.dashboard.rendering import HEADERS, Renderer
from stepwell.dashboard.run.concealing import concealed
from stepwell.dashboard.run.query import RunQuery
from stepwell.dashboard.run.view import run_view
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.codec import encode
from stepwell.platform.installation import Installation


class PayloadQuery(Query):
    """Which payload: the output of a step if `step` is given, else the input or output of the run."""

    of: Literal["input", "output"] = "output"
    step: str | None = None


class RunPage:
    """`/runs/{id}` and what is below it."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._history = installation.history
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/runs/{id}", self.show)
        yield reading("/runs/{id}/payload", self.payload)

    async def show(self, request: Request) -> Response:
        """GET /runs/{id}."""
        id = request.path_params["id"]
        seen = required(request, Scope.READ).payloads
        view = await run_view(self._installation, id, parameters(request, RunQuery), payloads=seen)
        if view is None:
            raise not_found("run", id)
        return self._renderer.page(request, "run.html", view if seen else concealed(view))

    async def payload(self, request: Request) -> Response:
        """GET /runs/{id}/payload: as it is recorded."""
        required(request, Scope.READ).require_payloads()
        query = parameters(request, PayloadQuery)
        id = request.path_params["id"]
        if query.step is not None:
            found = await self._step(id, query.step)
        else:
            found = await (self._input(id) if query.of == "input" else self._output(id))
        if not found:
            raise not_found("payload", str(request.url.query))
        return Response(found, media_type="application/json", headers=HEADERS)

    async def _step(self, run: str, key: str) -> bytes | None:
        rows = await self._history.steps(run) or ()
        return next((row.payload for row in rows if row.key == key), None)

    async def _output(self, run: str) -> bytes | None:
        view = await self._history.run(run)
        return view.run.output if view else None

    async def _input(self, run: str) -> bytes | None:
        view = await self._history.run(run)
        event = await self._history.event(view.run.event) if view else None
        return encode(event.data) if event else None
