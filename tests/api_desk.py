"""An installation with an HTTP face, and a hand that does a worker's part, for the tests of both."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import orjson

from stepwell.functions.protocol import Manifest
from stepwell.platform.api.front import Front
from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.leases import Leases
from stepwell.platform.engine.owner import Owner
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.ticks import Ticks
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.installation import Installation
from stepwell.platform.records import Lease
from stepwell.platform.server import create_app, http_server
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store

SESSION = "w1"
EXPIRY = 15_000
PATIENCE = 30_000
LOCAL = "http://127.0.0.1:8288"


def function(name: str, event: str = "order.placed", **more: Any) -> dict[str, Any]:
    """A function of a manifest."""
    return {"id": name, "triggers": [{"event": event}], "retries": {"times": 4}, **more}


def incoming(name: str, data: dict[str, Any] | None = None, *, id: str = "", ts: int = 0) -> IncomingEvent:
    """An event as a sender sends it."""
    return IncomingEvent(name, data or {}, id, ts)


@dataclass
class Desk:
    """One installation whose clock moves by hand."""

    installation: Installation
    clock: ManualClock
    calls: int = 0

    @classmethod
    def over(cls, store: Store, settings: Settings | None = None) -> "Desk":
        """One over an open store."""
        clock = ManualClock()
        return cls(Installation.over(store, settings or Settings(), clock), clock)

    async def register(self, *functions: dict[str, Any], app: str = "shop", version: str = "1") -> None:
        """An app with these functions."""
        manifest = {"id": app, "version": version, "functions": functions}
        await self.installation.registry.register(Manifest.model_validate(manifest))

    async def send(self, name: str, data: dict[str, Any] | None = None, *, id: str = "", ts: int = 0) -> str:
        """An event, 1 ms after whatever was before; its id."""
        self.clock.advance(1)
        [event] = await self.installation.ingest.accept([incoming(name, data, id=id, ts=ts)])
        return event

    async def run_of(self, event: str) -> str:
        """The id of the only run that an event started."""
        record = await self.installation.history.event(event)
        assert record
        [run] = record.runs
        return run

    async def start(self, name: str, data: dict[str, Any] | None = None, *, ts: int = 0) -> str:
        """An event that starts one run; the id of the run."""
        return await self.run_of(await self.send(name, data, ts=ts))

    def owner(self, partition: Partition | None = None) -> Owner:
        """Writes as the owner of a lease."""
        return Owner(partition or self.installation.partitions[0], 1_000, 32 << 20)

    async def lease(self, *functions: str) -> list[Lease]:
        """Every run of the functions that may start now."""
        found: list[Lease] = []
        for partition in self.installation.partitions:
            self.calls += 1
            leases = Leases(partition, EXPIRY, 3)
            leased = await leases.lease(SESSION, f"{SESSION}:{self.calls}", 64, functions)
            found += leased.leases
        return found

    async def finish(self, lease: Lease, status: str = "completed", body: Any = None) -> None:
        """Ends a run that was leased."""
        home = self.installation.partitions[partition_of(lease.run)]
        await self.owner(home).finish(lease.run, lease.token, 1, status, orjson.dumps(body))

    async def finish_all(self, *functions: str, status: str = "completed", body: Any = None) -> None:
        """Does all there is to do."""
        while leases := await self.lease(*functions):
            for lease in leases:
                await self.finish(lease, status, body)

    async def tick(self) -> None:
        """Fires what is due."""
        for partition in self.installation.partitions:
            await Ticks(partition, EXPIRY, 3, PATIENCE).tick()

    def front(self, *, dev: bool = True, **options: Any) -> Front:
        """The ASGI application."""
        return create_app(self.installation, dev=dev, **options)

    @asynccontextmanager
    async def client(self, *, url: str = LOCAL, **options: Any) -> AsyncGenerator[httpx2.AsyncClient]:
        """Calls the application, whose background work runs meanwhile, without a network."""
        front = self.front(**options)
        transport = httpx2.ASGITransport(front)
        async with lifespan(front), httpx2.AsyncClient(transport=transport, base_url=url) as client:
            yield client

    @asynccontextmanager
    async def serving(self, **options: Any) -> AsyncGenerator["Address"]:
        """A server on a free port of loopback, stopped as an operator would stop it."""
        front = self.front(**options)
        server = http_server(front, host="127.0.0.1", port=0)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
            running = asyncio.create_task(server.serve([listener]))
            try:
                await _answering(port)
                yield Address(port, front)
            finally:
                server.should_exit = True
                await running


@dataclass(frozen=True)
class Address:
    """Where a server listens, and what it serves."""

    port: int
    front: Front

    @property
    def url(self) -> str:
        """Its root."""
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A bare connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


async def _answering(port: int) -> None:
    async with httpx2.AsyncClient() as client:
        response = await client.get(f"http://127.0.0.1:{port}/health/live")
        assert response.status_code == 200


@asynccontextmanager
async def lifespan(front: Front) -> AsyncGenerator[None]:
    """What a server does with an application before and after its requests."""
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    task = asyncio.create_task(front({"type": "lifespan", "asgi": {"version": "3.0"}}, said.get, heard.put))
    await said.put({"type": "lifespan.startup"})
    assert (await heard.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await said.put({"type": "lifespan.shutdown"})
        assert (await heard.get())["type"] == "lifespan.shutdown.complete"
        await task


async def eventually(condition: Any, seconds: float = 10.0) -> None:
    """Returns once `condition()` holds, whatever else the event loop has to do first."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is waited for is not ours to set an event
            await asyncio.sleep(0.001)


async def raw(address: Address, *parts: bytes, close: bool = False) -> bytes:
    """What the server answers to these bytes, until it closes or one response is whole."""
    reader, writer = await address.connect()
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        if close:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await _response(reader)
    finally:
        writer.close()


async def _response(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lengths: Sequence[bytes] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else head
