"""What somebody does to a run from its page."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting
from stepwell.dashboard.forms import Form
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.steering import refusals
from stepwell.platform.installation import Installation


class RunActing:
    """The forms below `/runs/{id}` that need no page of their own."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._steering = installation.steering

    def addresses(self) -> Iterator[Address]:
        """Where they are."""
        yield acting("/runs/{id}/cancel", self.cancel)
        yield acting("/runs/{id}/retry", self.retry)
        yield acting("/runs/{id}/wake", self.wake)

    async def cancel(self, request: Request, _: Form) -> Response:
        """POST /runs/{id}/cancel."""
        id = request.path_params["id"]
        if await self._installation.history.run(id) is None:
            raise not_found("run", id)
        await self._installation.runs_at(id).cancel(id)
        return to_run(id)

    async def retry(self, request: Request, form: Form) -> Response:
        """POST /runs/{id}/retry: a step, or without one the function itself."""
        id = request.path_params["id"]
        with refusals():
            await self._steering.retry(id, form.get("step") or None)
        return to_run(id)

    async def wake(self, request: Request, form: Form) -> Response:
        """POST /runs/{id}/wake."""
        id = request.path_params["id"]
        if "step" not in form:
            raise Problem(422, "unfit", "the form names no step")
        with refusals():
            await self._steering.wake(id, form["step"])
        return to_run(id)


def to_run(id: str) -> Response:
    """The way to the page of a run."""
    return RedirectResponse(f"/runs/{id}", 303)
