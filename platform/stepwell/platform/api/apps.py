"""Apps: those of workers, and those that are served over HTTP."""

from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.functions.protocol import Manifest
from stepwell.platform.api.bodies import MAY, Body, body_of
from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.app import AddedApp, App, ServedApp
from stepwell.platform.api.operations import NoQuery, Operation, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.scopes import Scope
from stepwell.platform.registry import Registry
from stepwell.platform.wire.inviting import Inviting, NotRegistered


class AppBody(Body):
    """An app to be added."""

    url: str = Field(min_length=1, max_length=2048, description="where it serves its functions")


class AppsApi:
    """Endpoints of `/api/v1/apps`.

    Args:
        registry: knows them.
        inviting: has those register themselves that are served.
    """

    def __init__(self, registry: Registry, inviting: Inviting) -> None:
        self._registry = registry
        self._inviting = inviting

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        apps = "/api/v1/apps"
        yield Operation("GET", apps, "list_apps", "The registered apps", self.all, Item[list[App]])
        about = "Have the app that is served at an address register itself. May be repeated"
        may = (403, 502, *MAY)
        yield Operation(
            "POST", apps, "add_app", about, self.add, Item[AddedApp], problems=may, body=AppBody, needs=Scope.ADMIN
        )
        about, path = "Forget a served app: its functions are not started any more", f"{apps}/{{app}}/remove"
        yield Operation(
            "POST", path, "remove_app", about, self.remove, Item[App], problems=(403, 404, 409), needs=Scope.ADMIN
        )

    async def all(self, request: Request) -> ASGIApp:
        """GET /apps."""
        parameters(request, NoQuery)
        manifests = (await self._registry.load()).apps
        return answer(Item[list[App]](data=[_app(manifest) for _, manifest in sorted(manifests.items())]))

    async def add(self, request: Request) -> ASGIApp:
        """POST /apps."""
        parameters(request, NoQuery)
        url = (await body_of(request, AppBody)).url
        try:
            modified = await self._inviting.invite(url)
        except NotRegistered as error:
            raise Problem(502, "not_registered", str(error), error.hint) from None
        apps = [app for app in (await self._registry.load()).apps.values() if app.served and app.served.url == url]
        return answer(Item[AddedApp](data=AddedApp(modified=modified, apps=[_app(app) for app in apps])))

    async def remove(self, request: Request) -> ASGIApp:
        """POST /apps/{app}/remove."""
        parameters(request, NoQuery)
        id = request.path_params["app"]
        manifest = (await self._registry.load()).apps.get(id)
        if manifest is None:
            raise not_found("app", id)
        if manifest.served is None and manifest.functions:
            message = f"app {id!r} is not served: its workers would register it again"
            raise Problem(409, "not_served", message, "Stop its workers, or pause its functions")
        gone = Manifest(id=id, version=manifest.version, functions=[])
        await self._registry.register(gone)
        return answer(Item[App](data=_app(gone)))


def _app(manifest: Manifest) -> App:
    served = manifest.served
    return App(
        id=manifest.id,
        version=manifest.version,
        functions=[f"{manifest.id}/{function.id}" for function in manifest.functions],
        served=ServedApp(url=served.url, sdk=served.sdk, framework=served.framework) if served else None,
    )
