"""Doing a run again with another input, or from one of its steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.forms import Form
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.run.acting import to_run
from stepwell.dashboard.typed import REFUSED, to_type, typed_json, typed_object, why
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.codec import encode
from stepwell.platform.installation import Installation
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.steering.refusals import NoSuchRun

MOST_CHARACTERS = 256 << 10
"""Of an input that is put into the form; a larger one is kept as it is, unless another is typed."""
MOST_BYTES = 16 << 20
"""Of the form, in which a byte may take three, and which has the input twice."""


class RerunQuery(Query):
    """From which step."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    step: str | None = Field(None, max_length=600)


@dataclass(frozen=True, slots=True)
class RerunView:
    """The page: what was typed, or is proposed.

    `was` is the input that the run had; with `kept` it is not in the form, because it is too large or may not be seen.
    """

    id: str
    function: str
    steps: tuple[str, ...]
    request: str
    input: str = ""
    was: str = ""
    kept: bool = False
    step: str = ""
    output: str = ""
    error: str = ""


class RerunPage:
    """`/runs/{id}/rerun`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._history = installation.history
        self._steering = installation.steering
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/runs/{id}/rerun", self.show)
        yield acting("/runs/{id}/rerun", self.rerun, most=MOST_BYTES)

    async def show(self, request: Request) -> Response:
        """GET /runs/{id}/rerun."""
        required(request, Scope.OPERATE)
        step = parameters(request, RerunQuery).step or ""
        return await self._page(request, {"step": step})

    async def rerun(self, request: Request, form: Form) -> Response:
        """POST /runs/{id}/rerun: with nothing typed, the whole run with the input that it had."""
        try:
            return to_run(await self._steering.rerun(request.path_params["id"], _order(form)))
        except NoSuchRun:
            raise not_found("run", request.path_params["id"]) from None
        except REFUSED as refusal:
            return await self._page(request, form, why(refusal))

    async def _page(self, request: Request, typed: Form, error: str = "") -> Response:
        id = request.path_params["id"]
        known, rows = await self._history.run(id), await self._history.steps(id)
        if known is None or rows is None:
            raise not_found("run", id)
        event = await self._history.event(known.run.event)
        was = to_type(encode(event.data)) if event and required(request, Scope.READ).payloads else ""
        kept = not was or len(was) > MOST_CHARACTERS
        given = typed.get("input")
        view = RerunView(
            id=id,
            function=known.run.function,
            steps=tuple(row.key for row in rows),
            request=typed.get("request") or uuid4().hex,
            input=("" if kept else was) if given is None else given,
            was="" if kept else was,
            kept=kept,
            step=typed.get("step", ""),
            output=typed.get("output", ""),
            error=error,
        )
        return self._renderer.page(request, "rerun.html", view, 422 if error else 200)


def _order(form: Form) -> Order:
    """What was typed. An input that was left as it was is that of the run, whatever becomes of its digits."""
    text, output = form.get("input", ""), form.get("output", "")
    changed = text.strip() and text.replace("\r\n", "\n") != form.get("was", "").replace("\r\n", "\n")
    return Order(
        input=typed_object(text, "the input") if changed else None,
        from_step=form.get("step") or None,
        output=Given(typed_json(output, "the output of the step")) if output.strip() else None,
        request=form.get("request") or None,
    )
