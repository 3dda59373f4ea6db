"""A platform whose functions are served over HTTP by our own SDK, without a network: for the same stories."""

from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx2

from stepwell.client.address import Address
from stepwell.client.answers import Answer, content
from stepwell.client.errors import Unreachable
from stepwell.functions import App
from stepwell.functions.logbook import Opening
from stepwell.functions.served.environment import Environment
from stepwell.functions.served.registration import registration as registered
from stepwell.functions.served.served import Served
from stepwell.functions.signing import Keys
from stepwell.platform.executor.handlers import Handlers, Running, Share, Taken
from stepwell.platform.executor.leasing import Room
from stepwell.platform.executor.remote.app import RemoteApp, session_id
from stepwell.platform.executor.session import Session
from stepwell.platform.installation import Installation
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.wire.registration import manifest_of, registration
from stepwell.platform.wire.replies import Reply, reply_of
from tests.api_desk import LOCAL, Desk
from tests.platform_harness import Harness

APP = "http://127.0.0.1:8000"


class InProcessServer:
    """The API, as apps reach it."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.away = False

    async def post(self, path: str, body: bytes) -> Any:
        """See `Server`."""
        if self.away:
            raise Unreachable(LOCAL, "it is away")
        answer = await self._client.post(path, content=body)
        return content(Answer(answer.status_code, "", answer.headers, answer.content), path)


class InProcessCaller:
    """The network between the server and the apps."""

    def __init__(self, served: Mapping[str, Served]) -> None:
        self._served = served

    def form(self, piece: bytes) -> bytes:
        """See `Caller`."""
        return piece

    async def call(self, url: str, run: str, version: int, body: bytes) -> Reply:
        """See `Caller`."""
        served = self._served[urlsplit(url).path.strip("/")]
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url=APP) as client:
            answer = await client.post(url, content=body)
        return reply_of(answer.status_code, {**answer.headers}, answer.content, 0)


class Many:
    """The `Handlers` of several apps, which have a worker each elsewhere."""

    def __init__(self, handlers: Mapping[str, Handlers]) -> None:
        self._handlers = handlers
        self.room = Room(256)
        self.versions = {name: version for one in handlers.values() for name, version in one.versions.items()}

    def shares(self) -> Iterator[Share]:
        """See `Handlers`."""
        for one in self._handlers.values():
            yield from one.shares()

    def begin(self, run: Taken, logbook: Opening) -> Running:
        """See `Handlers`."""
        return self._handlers[run.lease.function.partition("/")[0]].begin(run, logbook)

    def close(self) -> None:
        """See `Handlers`."""
        for one in self._handlers.values():
            one.close()


class ServedHarness(Harness):
    """One platform and its apps."""

    server: InProcessServer
    caller: InProcessCaller

    def __init__(self, store: Store, apps: list[App], settings: Settings) -> None:
        super().__init__(store, apps, settings)
        self._open = AsyncExitStack()
        self._desk = Desk(Installation.over(store, settings, self.clock), self.clock)
        self._served: dict[str, Served] = {}

    async def register_app(self, app: App) -> None:
        """See `Harness`: as the app itself would."""
        if not self._served:
            client = await self._open.enter_async_context(self._desk.client())
            self.server = InProcessServer(client)
        self._served[app.id] = Served(app, Environment(Address(LOCAL, "dev", None), Keys()), None, self.server)
        await self.registry.register(manifest_of(registration(registered(app, f"{APP}/{app.id}"))))

    def new_session(self) -> Session:
        """See `Harness`."""
        return Session(session_id())

    def handlers(self, concurrency: int, *, suspects: bool) -> Handlers:
        """See `Harness`."""
        apps = self.registry.snapshot.apps
        self.caller = caller = InProcessCaller(self._served)
        made = {app.id: RemoteApp(apps[app.id], caller, str, self.settings, self.clock) for app in self.apps}
        return Many(made) if len(made) > 1 else made[self.apps[0].id]

    async def close(self) -> None:
        """See `Harness`."""
        await super().close()
        await self._open.aclose()
