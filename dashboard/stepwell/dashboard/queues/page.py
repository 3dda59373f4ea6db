"""What functions have to do, who holds the slots of which key, and giving one back that nobody uses."""

from collections.abc import Iterator
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.forms import Form
from stepwell.dashboard.queues.query import QueuesQuery
from stepwell.dashboard.queues.view import queues_view
from stepwell.dashboard.rendering import Renderer
from stepwell.platform.api.keys import release_slot
from stepwell.platform.api.operations import parameters
from stepwell.platform.api.scopes import Scope
from stepwell.platform.flow.holding import Holding
from stepwell.platform.installation import Installation


class QueuesPage:
    """`/queues`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._holding = Holding(installation.partitions)
        self._renderer = renderer

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        yield reading("/queues", self.show)
        yield acting("/queues/release", self.release, Scope.ADMIN)

    async def show(self, request: Request) -> Response:
        """GET /queues."""
        view = await queues_view(self._installation, parameters(request, QueuesQuery))
        return self._renderer.page(request, "queues.html", view)

    async def release(self, _: Request, form: Form) -> Response:
        """POST /queues/release: leads to the key, whose slot somebody else may have by then."""
        scope = form.get("scope", "")
        await release_slot(self._holding, scope, form.get("run", ""))
        return RedirectResponse(f"/queues?{urlencode({'text': scope})}", 303)
