"""The examples of functions in web applications: each is added to a server, and does what it is for, over HTTP."""

import asyncio
import importlib
import socket
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx2
import pytest
import uvicorn

from stepwell.client import Client, Event
from stepwell.platform.clock import SystemClock
from stepwell.platform.executor.remote.apps import RemoteApps
from stepwell.platform.executor.remote.sealing import Sealed
from stepwell.platform.installation import Installation
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.server import create_app, http_server
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.signing import keys_of
from tests.api_desk import eventually

FUNCTIONS = "/api/stepwell"


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[str]:
    """A server as of `stepwell dev`, in this process; its address."""
    async with installed(Settings(), dev=True) as url:
        monkeypatch.setenv("STEPWELL_URL", url)
        yield url


@asynccontextmanager
async def installed(settings: Settings, *, dev: bool) -> AsyncGenerator[str]:
    """A server; its address."""
    clock = SystemClock()
    async with memory_store() as store:
        installation = Installation.over(store, settings, clock)
        seal = Sealed(keys_of(settings), clock)
        apps = RemoteApps(installation, seal, Addresses.of(settings, local=True), "dev" if dev else "cloud")
        parts = installation.partitions, clock, settings, installation.waits.errands, installation.registry
        front = create_app(installation, dev=dev, work=[apps.run, Scheduler(*parts).run])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with running(http_server(front, host="127.0.0.1", port=0), listener):
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def running(server: uvicorn.Server, listener: socket.socket) -> AsyncGenerator[None]:
    """A server while it runs."""
    serving = asyncio.create_task(server.serve([listener]))
    try:
        await eventually(lambda: server.started)
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def asgi(web: Any) -> AsyncGenerator[str]:
    """A web application as uvicorn serves it; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(web, log_config=None, ws="none")
        async with running(uvicorn.Server(config), listener):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class Quiet(WSGIRequestHandler):
    """Does not say what it was asked."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # its name there
        """Nothing."""


@contextmanager
def wsgi(web: Any) -> Generator[str]:
    """A web application as a WSGI server serves it, one request at a time; its address."""
    made: WSGIServer = make_server("127.0.0.1", 0, web, handler_class=Quiet)
    thread = threading.Thread(target=partial(made.serve_forever, poll_interval=0.01))
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}"
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def example(name: str) -> Any:
    """The web application of an example, loaded anew since it looks for its server when it is loaded."""
    sys.modules.pop(f"examples.{name}", None)
    return importlib.import_module(f"examples.{name}").web


async def fulfils(server: str, web: str) -> None:
    """An order is fulfilled by the functions at `web`, beside the pages of the application."""
    async with httpx2.AsyncClient() as http:
        assert "open" in (await http.get(web)).text
        added = await http.post(f"{server}/api/v1/apps", json={"url": f"{web}{FUNCTIONS}"})
        assert added.status_code == 200, added.text
        assert (await http.put(f"{web}{FUNCTIONS}")).json() == {"message": "registered", "modified": False}
    async with Client(server) as client:
        runs = await client.send_and_wait(Event("order.placed", {"id": "A-1"}), timeout=30)
    assert {run.function: run.output for run in runs} == {
        "shop/fulfil": "shipped A-1, paid as P-A-1",
        "shop/thank": "thanks for A-1",
    }


@pytest.mark.parametrize("name", ["serve_fastapi", "serve_starlette", "serve_django", "serve_quart"])
async def test_functions_are_part_of_an_asgi_application(server: str, name: str) -> None:
    if name == "serve_quart":
        pytest.importorskip("quart")
    async with asgi(example(name)) as web:
        await fulfils(server, web)


async def test_functions_are_part_of_a_wsgi_application(server: str) -> None:
    with wsgi(example("serve_flask")) as web:
        await fulfils(server, web)


async def test_server_and_application_in_production_know_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "ab" * 32, "cd" * 32
    keys = {"signing_key": new, "signing_key_fallback": old, "event_keys": "event-key", "api_keys": "api-key"}
    async with installed(Settings.model_validate(keys), dev=False) as server:
        for name, value in {"URL": server, "SIGNING_KEY": old, "SIGNING_KEY_FALLBACK": new}.items():
            monkeypatch.setenv(f"STEPWELL_{name}", value)
        async with asgi(example("serve_starlette")) as web, httpx2.AsyncClient() as http:
            headers = {"Authorization": "Bearer api-key"}
            added = await http.post(f"{server}/api/v1/apps", json={"url": f"{web}{FUNCTIONS}"}, headers=headers)
            assert added.status_code == 200, added.text
            assert (await http.post(f"{web}{FUNCTIONS}?fnId=shop-thank", json={})).status_code == 401
            async with Client(server, key="event-key", api_key="api-key") as client:
                runs = await client.send_and_wait(Event("order.placed", {"id": "A-1"}), timeout=30)
            assert {run.output for run in runs} == {"shipped A-1, paid as P-A-1", "thanks for A-1"}
