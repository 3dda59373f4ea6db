"""A server as a whole: what runs beside it, and how it starts and stops."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from stepwell.platform import server as assembling
from stepwell.platform.api.auth import UnsafeAddress
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.server import http_server, working
from stepwell.platform.store.memory import Remembered, memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, eventually, function, lifespan


async def test_work_runs_while_the_server_does(store: Store) -> None:
    desk = Desk.over(store)
    started, stopped = asyncio.Event(), asyncio.Event()

    async def scheduler() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with lifespan(desk.front(work=[scheduler])):
        await started.wait()
        assert not stopped.is_set()
    assert stopped.is_set()


@pytest.mark.parametrize("error", [StoreUnavailable("redis", "gone"), RuntimeError("a fault")])
async def test_work_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(assembling, "RESTART_AFTER", 0)
    starts = 0

    async def scheduler() -> None:
        nonlocal starts
        starts += 1
        if starts < 3:
            raise error

    async with working([scheduler]):
        await eventually(lambda: starts == 3)


async def test_further_routes_come_behind_those_of_the_api(store: Store) -> None:
    async def page(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"page {request.url.path}")

    desk = Desk.over(store)
    async with desk.client(routes=[Route("/{path:path}", page)]) as client:
        assert (await client.get("/")).text == "page /"
        assert (await client.get("/runs")).text == "page /runs"
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        assert (await client.get("/api/v1/runs")).json()["data"] == []


async def test_a_registration_elsewhere_reaches_this_process(store: Store) -> None:
    desk, other = Desk.over(store), Desk.over(store)
    async with lifespan(desk.front()):
        await other.register(function("fulfil"))
        await eventually(lambda: "shop/fulfil" in desk.installation.registry.snapshot.functions)


async def test_events_sent_to_one_process_are_seen_by_another() -> None:
    memory = Remembered()
    async with memory_store(memory=memory) as near, memory_store(memory=memory) as far:
        desk, other = Desk.over(near), Desk.over(far)
        async with desk.serving() as server, other.serving() as second, httpx2.AsyncClient() as client:
            sent = await client.post(f"{server.url}/e/k", json={"name": "a", "data": {"x": 1}})
            found = await client.get(f"{second.url}/api/v1/events/{sent.json()['ids'][0]}")
    assert found.json()["data"]["data"] == {"x": 1}


async def test_a_server_does_not_listen_where_it_must_not(store: Store) -> None:
    with pytest.raises(UnsafeAddress, match=r"0\.0\.0\.0 can be reached by others"):
        Desk.over(store).front(host="0.0.0.0")


async def test_a_server_on_a_socket_in_the_file_system(store: Store, short_path: Any) -> None:
    front = Desk.over(store).front(host=str(short_path / "http"))
    server = http_server(front, host=str(short_path / "http"), port=0)
    running = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    transport = httpx2.AsyncHTTPTransport(uds=str(short_path / "http"))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/health/ready")).status_code == 200
    server.should_exit = True
    await running


async def test_websockets_are_turned_away(store: Store) -> None:
    front = Desk.over(store).front()
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message["type"])

    await front({"type": "websocket", "path": "/api/v1/stream", "headers": []}, receive, send)
    assert said == ["websocket.close"]
