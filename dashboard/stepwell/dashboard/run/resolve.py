"""Giving a wait its outcome by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.forms import Form
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.run.acting import to_run
from stepwell.dashboard.typed import REFUSED, to_type, typed_json, why
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.codec import encode
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pending import pending_of
from stepwell.platform.records import StepRow
from stepwell.platform.steering.order import Given
from stepwell.platform.steering.refusals import NoSuchRun

MOST_BYTES = 16 << 20
"""Of the form, in which a byte of the outcome may take three."""


class ResolveQuery(Query):
    """Which wait."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    step: str = Field(max_length=600)


@dataclass(frozen=True, slots=True)
class ResolveView:
    """The page: what was typed, or is proposed. `fails`: an error is given, not an output."""

    id: str
    function: str
    step: str
    kind: str
    outcome: str
    fails: bool
    type: str = "Resolved"
    message: str = ""
    error: str = ""


class ResolvePage:
    """`/runs/{id}/resolve`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._history = installation.history
        self._steering = installation.steering
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/runs/{id}/resolve", self.show)
        yield acting("/runs/{id}/resolve", self.resolve, most=MOST_BYTES)

    async def show(self, request: Request) -> Response:
        """GET /runs/{id}/resolve."""
        required(request, Scope.OPERATE)
        return await self._page(request, {"step": parameters(request, ResolveQuery).step})

    async def resolve(self, request: Request, form: Form) -> Response:
        """POST /runs/{id}/resolve."""
        id, step = request.path_params["id"], form.get("step", "")
        try:
            await self._steering.resolve(id, step, **_outcome(form))
        except NoSuchRun:
            raise not_found("run", id) from None
        except REFUSED as refusal:
            return await self._page(request, form, why(refusal))
        return to_run(id)

    async def _page(self, request: Request, typed: Form, error: str = "") -> Response:
        id, key = request.path_params["id"], typed["step"]
        known, rows = await self._history.run(id), await self._history.steps(id)
        row = next((row for row in rows or () if row.key == key), None)
        if known is None or row is None:
            raise _no_step(id, key)
        if row.state != "pending" and not error:
            raise Problem(409, "not_now", f"step {key!r} does not wait any more", f"See /runs/{id}")
        view = ResolveView(
            id=id,
            function=known.run.function,
            step=key,
            kind=row.kind,
            outcome=typed.get("outcome") or _proposed(row),
            fails=typed.get("how") == "error",
            type=typed.get("type", "Resolved"),
            message=typed.get("message", ""),
            error=error,
        )
        return self._renderer.page(request, "resolve.html", view, 422 if error else 200)


def _no_step(run: str, key: str) -> Problem:
    shown = key if len(key) <= 80 else f"{key[:80]}…"
    return Problem(404, "not_found", f"run {run[:26]} has no step {shown!r}", "The page of the run lists its steps")


def _outcome(form: Form) -> dict[str, Given]:
    if form.get("how") == "error":
        return {"error": Given({"type": form.get("type") or "Resolved", "message": form.get("message", "")})}
    return {"output": Given(typed_json(form.get("outcome", ""), "the output"))}


def _proposed(row: StepRow) -> str:
    """An outcome of the right shape."""
    return to_type(encode(_shape(row)))


def _shape(row: StepRow) -> Any:
    if row.state != "pending":
        return None
    pending = pending_of(row)
    events = pending.events
    match row.kind:
        case "wait_for_event" if events:
            return {"name": events[0].name, "data": {}}
        case "wait_for_signal":
            return {"signal": pending.signal, "data": None}
        case "wait_for_any" if events:
            return {"name": events[0].entry, "event": {"name": events[0].name, "data": {}}}
        case _:
            return None
