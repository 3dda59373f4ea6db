"""The server itself: what it is, who works for it, and whether it is up."""

import asyncio
from collections.abc import Iterator
from importlib.metadata import version

from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.ingest import MAX_REQUEST
from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.models.system import Health, Info, Limits, Worker
from stepwell.platform.api.operations import NoQuery, Operation, answer, parameters
from stepwell.platform.api.views import system as system_views
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.incoming import MAX_EVENTS
from stepwell.platform.installation import Installation

READY_WITHIN = 2.0
"""Seconds in which Redis has to answer."""


class SystemApi:
    """Endpoints of `/api/v1/info`, `/api/v1/workers` and `/health`."""

    def __init__(self, installation: Installation, *, dev: bool) -> None:
        self._installation = installation
        self._history = installation.history
        self._dev = dev

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        yield Operation("GET", "/api/v1/info", "get_info", "What this server is", self.info, Item[Info])
        about = "The workers that are alive"
        yield Operation("GET", "/api/v1/workers", "list_workers", about, self.workers, Item[list[Worker]])
        yield Operation("GET", "/health/live", "live", "Whether the process answers", self.live, Health, needs=None)
        about = "Whether Redis answers too"
        yield Operation("GET", "/health/ready", "ready", about, self.ready, Health, needs=None)

    async def info(self, request: Request) -> ASGIApp:
        """GET /info."""
        parameters(request, NoQuery)
        store = self._installation.store
        settings = self._installation.settings
        info = Info(
            version=version("stepwell"),
            mode="dev" if self._dev else "server",
            redis=store.where,
            partitions=store.partitions,
            runs=system_views.counts(await self._history.counts()),
            limits=Limits(
                event_bytes=settings.max_event_bytes,
                request_bytes=MAX_REQUEST,
                events_per_request=MAX_EVENTS,
                steps_per_run=settings.max_steps,
                bytes_per_run=settings.max_run_bytes,
            ),
        )
        return answer(Item[Info](data=info))

    async def workers(self, request: Request) -> ASGIApp:
        """GET /workers."""
        parameters(request, NoQuery)
        found = await self._history.workers()
        return answer(Item[list[Worker]](data=[system_views.worker(session) for session in found]))

    async def live(self, _: Request) -> ASGIApp:
        """GET /health/live."""
        return answer(Health(status="ok"))

    async def ready(self, _: Request) -> ASGIApp:
        """GET /health/ready."""
        store = self._installation.store
        try:
            async with asyncio.timeout(READY_WITHIN):
                await asyncio.gather(*[store.call(partition, "PING") for partition in range(store.partitions)])
        except TimeoutError:
            raise StoreUnavailable(store.where, f"no answer within {READY_WITHIN:g} s") from None
        return answer(Health(status="ok"))
