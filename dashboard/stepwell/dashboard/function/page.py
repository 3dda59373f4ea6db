"""One function: how it is registered, how it does, and its pausing and invoking."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.forms import Form
from stepwell.dashboard.function.invoking import InvokeView, data_of
from stepwell.dashboard.function.view import function_view
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.run.acting import to_run
from stepwell.dashboard.typed import REFUSED, why
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.flow.pausing import MODES, Pausing
from stepwell.platform.installation import Installation
from stepwell.platform.steering.refusals import NoSuchFunction, NotSteered


class FunctionPage:
    """`/functions/{app}/{function}` and what is below it."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._pausing = Pausing(installation.partitions, installation.registry)
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        path = "/functions/{app}/{function}"
        yield reading(path, self.show)
        yield reading(f"{path}/invoke", self.form)
        yield acting(f"{path}/invoke", self.invoke)
        yield acting(f"{path}/pause", self.pause)
        yield acting(f"{path}/resume", self.resume)

    async def show(self, request: Request) -> Response:
        """GET /functions/{app}/{function}."""
        view = await function_view(self._installation, _id(request))
        if view is None:
            raise not_found("function", _id(request))
        return self._renderer.page(request, "function.html", view)

    async def form(self, request: Request) -> Response:
        """GET …/invoke."""
        required(request, Scope.OPERATE)
        id = _id(request)
        if id not in (await self._installation.registry.load()).functions:
            raise not_found("function", id)
        return self._renderer.page(request, "invoke.html", InvokeView(id))

    async def invoke(self, request: Request, form: Form) -> Response:
        """POST …/invoke: to the new run, or back to what was typed."""
        id, typed = _id(request), form.get("data", "")
        try:
            run = await self._installation.steering.invoke(id, data_of(typed))
        except NoSuchFunction as refusal:
            raise Problem(404, "not_found", refusal.problem, refusal.hint) from None
        except REFUSED as refusal:
            status = 409 if isinstance(refusal, NotSteered) else 422
            return self._renderer.page(request, "invoke.html", InvokeView(id, typed, why(refusal)), status)
        return to_run(run)

    async def pause(self, request: Request, form: Form) -> Response:
        """POST …/pause."""
        mode = form.get("mode", "keep")
        if mode not in MODES:
            raise Problem(422, "unfit", f"{mode[:80]!r} is no way of pausing", f"Choose one of {', '.join(MODES)}")
        if not await self._pausing.pause(_id(request), mode):
            raise not_found("function", _id(request))
        return _back(request)

    async def resume(self, request: Request, _: Form) -> Response:
        """POST …/resume."""
        if not await self._pausing.resume(_id(request)):
            raise not_found("function", _id(request))
        return _back(request)


def _id(request: Request) -> str:
    return "{app}/{function}".format_map(request.path_params)


def _back(request: Request) -> Response:
    return RedirectResponse(request.url.path.rpartition("/")[0], 303)
