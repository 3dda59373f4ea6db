"""Functions and the apps they belong to."""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api import views
from stepwell.platform.api.models import App, Function, Item
from stepwell.platform.api.operations import NoQuery, Operation, answer, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.installation import Installation


class FunctionsApi:
    """Endpoints of `/api/v1/functions` and `/api/v1/apps`."""

    def __init__(self, installation: Installation) -> None:
        self._history = installation.history
        self._registry = installation.registry

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        functions, function = "/api/v1/functions", "/api/v1/functions/{app}/{function}"
        about = "The registered functions"
        yield Operation("GET", functions, "list_functions", about, self.functions, Item[list[Function]])
        yield Operation("GET", function, "get_function", "One function", self.function, Item[Function], problems=(404,))
        yield Operation("GET", "/api/v1/apps", "list_apps", "The registered apps", self.apps, Item[list[App]])

    async def functions(self, request: Request) -> ASGIApp:
        """GET /functions."""
        parameters(request, NoQuery)
        found = await self._history.functions()
        return answer(Item[list[Function]](data=[views.function(view) for view in found]))

    async def function(self, request: Request) -> ASGIApp:
        """GET /functions/{app}/{function}."""
        parameters(request, NoQuery)
        id = "{app}/{function}".format_map(request.path_params)
        view = await self._history.function(id)
        if view is None:
            raise not_found("function", id)
        return answer(Item[Function](data=views.function(view)))

    async def apps(self, request: Request) -> ASGIApp:
        """GET /apps."""
        parameters(request, NoQuery)
        manifests = (await self._registry.load()).apps
        apps = [
            App(id=id, version=manifest.version, functions=[f"{id}/{function.id}" for function in manifest.functions])
            for id, manifest in sorted(manifests.items())
        ]
        return answer(Item[list[App]](data=apps))
