"""Putting the HTTP server together."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import cache
from socket import socket

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from stepwell.platform.api.apps import AppsApi
from stepwell.platform.api.auth import Access, is_local
from stepwell.platform.api.bulk import BulkApi
from stepwell.platform.api.endings import Endings
from stepwell.platform.api.events import EventsApi
from stepwell.platform.api.feed import LINGER, Feed
from stepwell.platform.api.front import Front
from stepwell.platform.api.functions import FunctionsApi
from stepwell.platform.api.history import HistoryApi
from stepwell.platform.api.ingest import IngestEndpoint
from stepwell.platform.api.keys import KeysApi
from stepwell.platform.api.logs import LogsApi
from stepwell.platform.api.openapi import document
from stepwell.platform.api.operations import Operation
from stepwell.platform.api.problems import Problem, answer_problem
from stepwell.platform.api.queues import QueuesApi
from stepwell.platform.api.rates import RatesApi
from stepwell.platform.api.runs import RunsApi
from stepwell.platform.api.schedules import SchedulesApi
from stepwell.platform.api.steering import SteeringApi
from stepwell.platform.api.stream import StreamApi
from stepwell.platform.api.system import SystemApi
from stepwell.platform.api.transport import HttpProtocol
from stepwell.platform.api.wire.routes import wire_routes
from stepwell.platform.codec import encode
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.installation import Installation
from stepwell.platform.registry import Registry
from stepwell.platform.store.keys import ENDED, REGISTRY
from stepwell.platform.store.store import Store
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.inviting import Inviting
from stepwell.platform.wire.registering import Registering
from stepwell.platform.wire.signing import keys_of

Work = Callable[[], Awaitable[None]]
"""Something that runs for as long as the server does, such as the scheduler."""

ANSWERED = (Problem, HTTPException, StoreUnavailable, StoreFull, Exception)
"""What ends a request with a `Problem`."""
RESTART_AFTER = 1.0
"""Seconds between a failure of background work and its next start."""
GRACE = 10
"""Seconds in which requests have to end when the server stops."""


def create_app(
    installation: Installation,
    *,
    dev: bool,
    host: str = "127.0.0.1",
    routes: Sequence[BaseRoute] = (),
    work: Sequence[Work] = (),
) -> Front:
    """The ASGI application of a server.

    Args:
        installation: what it serves.
        dev: on loopback, no keys are asked for.
        host: where it will listen: name, address, or path of a socket.
        routes: further routes, behind those of the API, such as the dashboard's.
        work: runs while the server does; what fails is logged and started again.

    Raises `UnsafeAddress` when the host is not loopback and the settings have no keys, `BadKey` and `BadSigningKey` for
    a wrong one.
    """
    keys, addresses = keys_of(installation.settings), Addresses.of(installation.settings, local=is_local(host))
    access, max_event = Access(installation.settings, dev=dev, host=host), installation.settings.max_event_bytes
    endings, feed, closing = Endings(), Feed(installation.store, LINGER), asyncio.Event()
    registering = Registering(installation.registry, addresses, dev=dev)
    inviting = Inviting(addresses, keys, installation.clock, registering, dev=dev)
    operations = [
        *EventsApi(
            installation.history, installation.ingest, installation.registry, max_event, endings, closing
        ).operations(),
        *RunsApi(installation, endings, closing).operations(),
        *LogsApi(installation.history).operations(),
        *HistoryApi(installation).operations(),
        *SteeringApi(installation).operations(),
        *BulkApi(installation).operations(),
        *FunctionsApi(installation).operations(),
        *AppsApi(installation.registry, inviting).operations(),
        *KeysApi(installation).operations(),
        *QueuesApi(installation).operations(),
        *SchedulesApi(installation.schedules).operations(),
        *StreamApi(feed, installation.history, closing).operations(),
        *RatesApi(installation).operations(),
        *SystemApi(installation, dev=dev).operations(),
    ]

    async def hear() -> None:
        await listen(installation.store, installation.registry, endings)

    rest = Starlette(
        routes=[
            *wire_routes(installation, keys, addresses, dev=dev),
            *[operation.route() for operation in operations],
            describe(operations, dev=dev),
            *routes,
        ],
        exception_handlers=dict.fromkeys(ANSWERED, answer_problem),
        lifespan=lambda _: living(feed, [hear, *work]),
    )
    rest.router.redirect_slashes = False
    events = IngestEndpoint(installation.ingest, access, max_event)
    fixed = {(operation.method, operation.path): operation.call for operation in operations}
    return Front(events, fixed, rest, access, installation.clock, closing)


def describe(operations: Sequence[Operation], *, dev: bool) -> Route:
    """The route of the OpenAPI document."""

    @cache
    def body() -> bytes:
        # Made when it is first asked for: it takes longer than all else there is to do before a server is ready.
        return encode(document(operations, dev=dev))

    async def openapi(_: Request) -> Response:
        return Response(body(), media_type="application/json")

    return Route("/api/v1/openapi.json", openapi)


async def listen(store: Store, registry: Registry, endings: Endings) -> None:
    """Tells those who wait that runs have ended, and keeps this process's copy of the registry fresh."""
    async with store.subscribe(ENDED, REGISTRY) as messages:
        async for message in messages:
            match message:
                case None:
                    endings.missed()
                    await registry.load()
                case (channel, lines) if channel == ENDED:
                    endings.heard(lines)
                case _:
                    await registry.load()


@contextlib.asynccontextmanager
async def living(feed: Feed, work: Sequence[Work]) -> AsyncGenerator[None]:
    """Runs the work meanwhile, and ends the feed behind it."""
    async with working(work):
        try:
            yield
        finally:
            await feed.close()


@contextlib.asynccontextmanager
async def working(work: Sequence[Work]) -> AsyncGenerator[None]:
    """Runs the work meanwhile."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(keep_going(part)) for part in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def keep_going(work: Work) -> None:
    """Starts it again whenever it fails; returns when it does."""
    while True:
        try:
            return await work()
        except StoreUnavailable as error:
            structlog.get_logger("stepwell.server").warning("background work waits for Redis", reason=str(error))
        except Exception:
            structlog.get_logger("stepwell.server").exception("background work failed and is started again")
        await asyncio.sleep(RESTART_AFTER)


class HttpServer(uvicorn.Server):
    """A uvicorn server that ends the responses held open by `front` before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, front: Front) -> None:
        super().__init__(config)
        self._front = front

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """See uvicorn."""
        self._front.closing.set()
        await super().shutdown(sockets)


def http_server(front: Front, *, host: str, port: int) -> HttpServer:
    """A server for `front`; `await server.serve()` runs it.

    Args:
        front: the application.
        host: name or address to listen on, or the path of a socket.
        port: 0 for a free one.
    """
    where: dict[str, str] = {"uds": host} if host.startswith("/") else {"host": host}
    config = uvicorn.Config(
        front,
        port=port,
        http=HttpProtocol,
        # Nothing here depends on what a proxy says about its client, so nothing is believed.
        proxy_headers=False,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        **where,  # type: ignore[arg-type]
    )
    return HttpServer(config, front)
