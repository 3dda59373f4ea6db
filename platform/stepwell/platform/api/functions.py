"""Functions."""

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.bodies import MAY, Body, body_of
from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.function import Function
from stepwell.platform.api.models.run import Run
from stepwell.platform.api.operations import NoQuery, Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.steering import refusals
from stepwell.platform.api.views import function as function_views
from stepwell.platform.api.views import run as run_views
from stepwell.platform.flow.pausing import Mode, Pausing
from stepwell.platform.installation import Installation


class PauseQuery(Query):
    """How a function is paused."""

    mode: Mode = Field(
        default="keep",
        description="keep: all its runs wait; hold: those that have not begun; drop: events start no more of them",
    )


class InvokeBody(Body):
    """What a run that is asked for by hand is started with."""

    data: dict[str, Any] = Field(default_factory=dict, description="of its event")
    request: str | None = Field(
        default=None, description="an id of your own: asked again with the same within a day, nothing is done twice"
    )


class FunctionsApi:
    """Endpoints of `/api/v1/functions`."""

    def __init__(self, installation: Installation) -> None:
        self._history = installation.history
        self._steering = installation.steering
        self._registry = installation.registry
        self._pausing = Pausing(installation.partitions, installation.registry)

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        functions, function = "/api/v1/functions", "/api/v1/functions/{app}/{function}"
        about = "The registered functions"
        yield Operation("GET", functions, "list_functions", about, self.functions, Item[list[Function]])
        yield Operation("GET", function, "get_function", "One function", self.function, Item[Function], problems=(404,))
        about, path = "Pause a function, or change how it is paused. May be repeated", f"{function}/pause"
        yield Operation(
            "POST",
            path,
            "pause_function",
            about,
            self.pause,
            Item[Function],
            PauseQuery,
            (403, 404),
            needs=Scope.OPERATE,
        )
        about, path = "Have a paused function go on. May be repeated", f"{function}/resume"
        yield Operation(
            "POST",
            path,
            "resume_function",
            about,
            self.resume,
            Item[Function],
            problems=(403, 404),
            needs=Scope.OPERATE,
        )
        about, path = "Start a run of this function alone; answers the run", f"{function}/invoke"
        yield Operation(
            "POST",
            path,
            "invoke_function",
            about,
            self.invoke,
            Item[Run],
            problems=(403, 404, 409, *MAY),
            body=InvokeBody,
            needs=Scope.OPERATE,
        )

    async def functions(self, request: Request) -> ASGIApp:
        """GET /functions."""
        parameters(request, NoQuery)
        found, paused = await self._history.functions(), await self._pausing.all()
        return answer(
            Item[list[Function]](data=[function_views.function(view, paused.get(view.function.id)) for view in found])
        )

    async def function(self, request: Request) -> ASGIApp:
        """GET /functions/{app}/{function}."""
        parameters(request, NoQuery)
        return await self._answer(_id(request))

    async def pause(self, request: Request) -> ASGIApp:
        """POST …/pause."""
        query, id = parameters(request, PauseQuery), _id(request)
        await self._pausing.pause(id, query.mode)
        return await self._answer(id)

    async def resume(self, request: Request) -> ASGIApp:
        """POST …/resume."""
        parameters(request, NoQuery)
        id = _id(request)
        resumed = await self._pausing.resume(id)
        if resumed and id not in self._registry.snapshot.functions:
            message = f"function {id!r} is not registered; it was paused, and is not any more"
            raise Problem(404, "not_found", message, "Start a worker that serves it")
        return await self._answer(id)

    async def invoke(self, request: Request) -> ASGIApp:
        """POST …/invoke."""
        parameters(request, NoQuery)
        body = await body_of(request, InvokeBody)
        with refusals():
            run = await self._steering.invoke(_id(request), body.data, body.request)
        view = await self._history.run(run)
        if view is None:
            raise not_found("run", run)
        return answer(Item[Run](data=run_views.run(view)))

    async def _answer(self, id: str) -> ASGIApp:
        view, paused = await self._history.function(id), await self._pausing.all()
        if view is None:
            raise not_found("function", id)
        return answer(Item[Function](data=function_views.function(view, paused.get(id))))


def _id(request: Request) -> str:
    return "{app}/{function}".format_map(request.path_params)
