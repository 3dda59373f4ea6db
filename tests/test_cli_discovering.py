"""`stepwell dev` finds apps that are served on this machine."""

import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from stepwell.client import Retry
from stepwell.client.address import Address
from stepwell.client.connection import Connection
from stepwell.platform.cli.discovering import PATHS, Discovery
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk
from tests.redis_servers import free_port
from tests.test_wire_inviting import SDK
from tests.test_wire_registration import body, configured


@dataclass
class Finder:
    """A discovery at one port, and what it has said."""

    desk: Desk
    server: str
    discovery: Discovery
    port: int
    said: list[str] = field(default_factory=list[str])
    asked: list[str] = field(default_factory=list[str])
    functions: int = 1

    @asynccontextmanager
    async def listening(self, path: str, *, refuses: bool = False) -> AsyncGenerator[str]:
        """Something on the port, with an app at a path."""
        url = f"http://127.0.0.1:{self.port}{path}"

        async def any_of(request: web.Request) -> web.Response:
            self.asked.append(f"{request.method} {request.path}")
            if request.path != path:
                return web.Response(status=404)
            if request.method == "PUT" and refuses:
                return web.json_response({"message": "wrong key"}, status=500, headers=SDK)
            if request.method == "PUT":
                one = [configured(f"shop-f{number}") for number in range(self.functions)]
                manifest = body(*one, url=url)
                async with self.desk.client() as client:
                    return web.json_response((await client.post("/fn/register", json=manifest)).json(), headers=SDK)
            return web.json_response({"function_count": self.functions}, headers=SDK)

        application = web.Application()
        application.router.add_route("*", "/{path:.*}", any_of)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield url
        finally:
            await runner.cleanup()

    def registered(self) -> set[str]:
        return set(self.desk.installation.registry.snapshot.functions)


@pytest.fixture
async def finder() -> AsyncGenerator[Finder]:
    async with memory_store() as store:
        desk = Desk.over(store)
        async with desk.serving() as server:
            connection = Connection(Address.of(server.url, None, None), Retry(tries=1), 10.0)
            said, port = list[str](), free_port()
            tell: Callable[[str], None] = said.append
            discovery = Discovery(connection, tell, lambda text: said.append(f"! {text}"), [port])
            try:
                yield Finder(desk, server.url, discovery, port, said)
            finally:
                await connection.close()


@pytest.mark.parametrize("path", PATHS)
async def test_an_app_is_found_and_said_once(finder: Finder, path: str) -> None:
    await finder.discovery.look()
    assert finder.said == []
    async with finder.listening(path) as url:
        for _ in range(3):
            await finder.discovery.look()
        assert finder.said == [f"found shop at {url}: 1 function"]
        assert finder.registered() == {"shop/f0"}


async def test_an_app_that_comes_back_with_other_functions_is_registered_again(finder: Finder) -> None:
    async with finder.listening(PATHS[0]) as url:
        await finder.discovery.look()
        finder.functions = 2
        await finder.discovery.look()
        assert finder.registered() == {"shop/f0", "shop/f1"}
    await finder.discovery.look()
    finder.functions = 3
    async with finder.listening(PATHS[0]):
        await finder.discovery.look()
        assert finder.registered() == {"shop/f0", "shop/f1", "shop/f2"}
    assert finder.said == [f"found shop at {url}: {count}" for count in ("1 function", "2 functions", "3 functions")]


async def test_what_is_no_app_is_left_alone_mostly(finder: Finder) -> None:
    async with finder.listening("/elsewhere"):
        for _ in range(6):
            await finder.discovery.look()
        assert finder.asked == [f"GET {path}" for path in PATHS]
        await finder.discovery.look()
        assert len(finder.asked) == 2 * len(PATHS)
    assert finder.said == []


async def test_an_app_that_refuses_is_said_once(finder: Finder) -> None:
    async with finder.listening(PATHS[0], refuses=True) as url:
        for _ in range(9):
            await finder.discovery.look()
        [line] = finder.said
        assert line.startswith(f"! {url} does not register itself: ")
        assert "wrong key" in line
        assert finder.registered() == set()


async def test_something_that_never_answers_is_no_app(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.platform.cli.discovering.PATIENCE", 0.05)
    with closing(socket.create_server(("127.0.0.1", finder.port))):
        await finder.discovery.look()
    assert finder.said == []
