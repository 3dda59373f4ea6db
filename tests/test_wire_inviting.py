"""Adding apps by their address, listing and removing them."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest
from aiohttp import web

from stepwell.functions import App, Concurrency, Context, Timeouts
from stepwell.functions.served.registration import in_band
from stepwell.functions.signing import sign, verify
from stepwell.platform.cli import main
from stepwell.platform.clock import ManualClock
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.wire import inviting
from tests.api_desk import Desk, function
from tests.test_wire_registration import body, configured

KEY, OTHER = "ab" * 32, "cd" * 32
SDK = {"X-Inngest-SDK": "inngest-py:v0.5.19"}
HANDLED = {"x-inngest-sdk-handled": "true"}


class Shop:
    """An app that registers itself at a server when it is asked to, unless it is told what to answer instead."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.instead: web.Response | None = None
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.url = ""
        self.id = "shop"
        self.knows: str | None = None

    async def put(self, request: web.Request) -> web.Response:
        self.asked.append((dict(request.headers), await request.read()))
        headers, sent = self.asked[-1]
        if self.knows and not verify(sent, headers.get("X-Inngest-Signature"), [self.knows], ManualClock().now()):
            return web.json_response({"message": "not signed"}, status=401, headers=SDK)
        if self.instead is not None:
            # Each answer is one of its own: the same cannot be sent twice on one connection.
            return web.Response(status=self.instead.status, body=self.instead.body, headers=self.instead.headers)
        app = orjson.loads(
            orjson.dumps(body(configured())).replace(b"http://127.0.0.1:8000/api/inngest", self.url.encode())
        )
        app["appName"] = self.id
        for one in app["functions"]:
            one["id"] = f"{self.id}-fulfil"
        async with httpx2.AsyncClient() as client:
            answer = await client.post(f"{self.server}/fn/register", json=app)
        return web.json_response(answer.json(), headers=SDK)  # 200 whatever it was, as some SDKs do


@asynccontextmanager
async def serving(server: str) -> AsyncGenerator[Shop]:
    """A web application with the app in it."""
    shop = Shop(server)
    application = web.Application()
    application.router.add_put("/api/inngest", shop.put)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        shop.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/inngest"
        try:
            yield shop
        finally:
            await runner.cleanup()


@pytest.fixture
async def there() -> AsyncGenerator[tuple[Desk, httpx2.AsyncClient, Shop]]:
    async with memory_store() as store:
        desk = Desk.over(store)
        async with (
            desk.serving() as server,
            serving(server.url) as shop,
            httpx2.AsyncClient(base_url=server.url) as client,
        ):
            yield desk, client, shop


There = tuple[Desk, httpx2.AsyncClient, Shop]


async def add(client: httpx2.AsyncClient, url: str) -> httpx2.Response:
    return await client.post("/api/v1/apps", json={"url": url})


async def test_an_app_is_added_by_its_address_and_removed(there: There) -> None:
    desk, client, shop = there
    added = (await add(client, shop.url)).json()["data"]
    assert added["modified"]
    [app] = added["apps"]
    assert (app["id"], app["functions"]) == ("shop", ["shop/fulfil"])
    assert app["served"] == {"url": shop.url, "sdk": "py:v0.5.19", "framework": "fast_api"}
    assert not (await add(client, shop.url)).json()["data"]["modified"]
    assert (await client.get("/api/v1/apps")).json()["data"] == [app]
    [(headers, sent), _] = shop.asked
    assert headers["X-Inngest-Server-Kind"] == "dev"
    assert headers["X-Inngest-Sync-Kind"] == "out_of_band"
    assert "X-Inngest-Signature" not in headers
    assert orjson.loads(sent) == {"url": shop.url}
    for _ in range(2):
        removed = await client.post("/api/v1/apps/shop/remove")
        assert (removed.json()["data"]["functions"], removed.json()["data"]["served"]) == ([], None)
    assert not desk.installation.registry.snapshot.functions
    assert (await client.post("/api/v1/apps/nobody/remove")).status_code == 404


async def test_apps_of_workers_are_not_removed(there: There) -> None:
    desk, client, _ = there
    await desk.register(function("fulfil"))
    answer = await client.post("/api/v1/apps/shop/remove")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_served")


async def test_requests_are_signed_where_there_is_a_key() -> None:
    async with memory_store() as store:
        desk = Desk.over(store, Settings.model_validate({"signing_key": KEY}))
        async with desk.client(dev=False) as client, serving("") as shop:
            shop.instead = web.json_response({"modified": True}, headers=SDK)
            answer = await add(client, shop.url)
            assert answer.json()["data"] == {"modified": True, "apps": []}
            [(headers, sent)] = shop.asked
            assert headers["X-Inngest-Sync-Kind"] == "in_band"
            assert headers["X-Inngest-Server-Kind"] == "cloud"
            assert verify(sent, headers["X-Inngest-Signature"], [KEY], desk.clock.now())


async def test_an_app_that_has_the_other_key_is_asked_with_that() -> None:
    async with memory_store() as store:
        desk = Desk.over(store, Settings.model_validate({"signing_key": KEY, "signing_key_fallback": OTHER}))
        async with desk.client(dev=False) as client, serving("") as shop:
            shop.instead, shop.knows = web.json_response({"modified": True}, headers=SDK), OTHER
            assert (await add(client, shop.url)).json()["data"]["modified"]
            shop.knows = "ef" * 32
            shop.asked.clear()
            refused = (await add(client, shop.url)).json()["error"]
            assert "not signed" in refused["message"]
            assert "have a signing key of this server" in refused["hint"]
            for (headers, sent), key in zip(shop.asked, [KEY, OTHER] * 2, strict=True):  # in band, and out of band
                assert verify(sent, headers["X-Inngest-Signature"], [key], desk.clock.now())


async def test_in_development_an_app_takes_the_place_of_the_one_that_was_there(there: There) -> None:
    desk, client, shop = there
    await add(client, shop.url)
    for id in ("other", "shop"):
        shop.id = id
        [app] = (await add(client, shop.url)).json()["data"]["apps"]
        assert app["id"] == id
        assert list(desk.installation.registry.snapshot.functions) == [f"{id}/fulfil"]


async def test_elsewhere_no_app_ends_another() -> None:
    settings = Settings.model_validate({"signing_key": KEY, "allow_private_urls": True})
    async with memory_store() as store:
        desk = Desk.over(store, settings)
        async with desk.client(dev=False) as client, serving("") as shop:
            for id in ("shop", "other"):
                shop.instead = signed(desk, {"app_id": id, "functions": body(configured())["functions"]})
                await add(client, shop.url)
        assert sorted(desk.installation.registry.snapshot.functions) == ["other/shop-fulfil", "shop/fulfil"]


async def test_an_app_says_in_its_answer_what_it_has() -> None:
    settings = Settings.model_validate({"signing_key": KEY, "allow_private_urls": True})
    async with memory_store() as store:
        desk = Desk.over(store, settings)
        async with desk.client(dev=False) as client, serving("") as shop:
            told = {"app_id": "shop", "sdk_language": "py", "sdk_version": "0.5.19", "framework": "fast_api"}
            shop.instead = signed(desk, {**told, "functions": body(configured())["functions"]})
            answer = (await add(client, shop.url)).json()["data"]
            assert (answer["modified"], answer["apps"][0]["functions"]) == (True, ["shop/fulfil"])
            assert answer["apps"][0]["served"] == {"url": shop.url, "sdk": "py:v0.5.19", "framework": "fast_api"}
            wrong = configured(rateLimit={"limit": 1, "period": "x"})
            shop.instead = signed(desk, {**told, "functions": [wrong]})
            assert "rateLimit.period" in (await add(client, shop.url)).json()["error"]["message"]


async def test_an_app_of_our_own_keeps_its_controls_in_band() -> None:
    app = App("shop")

    @app.function(
        on="order.placed", concurrency=Concurrency(1, key="event.data.customer"), timeouts=Timeouts(start="1h")
    )
    async def fulfil(ctx: Context[Any]) -> None: ...

    settings = Settings.model_validate({"signing_key": KEY, "allow_private_urls": True})
    async with memory_store() as store:
        desk = Desk.over(store, settings)
        async with desk.client(dev=False) as client, serving("") as shop:
            shop.instead = signed(desk, in_band(app, f"{shop.url}?bypass=1"))
            assert (await add(client, f"{shop.url}?bypass=1")).json()["data"]["modified"]
            known = desk.installation.registry.snapshot.functions["shop/fulfil"].manifest
    ours = fulfil.manifest
    assert (known.concurrency, known.timeouts) == (ours.concurrency, ours.timeouts)
    assert known.url == f"{shop.url}?bypass=1&fnId=shop-fulfil&stepId=step"


def signed(desk: Desk, told: Any, key: str = KEY) -> web.Response:
    """An answer in band."""
    sent = orjson.dumps(told)
    headers = {**SDK, "X-Inngest-Sync-Kind": "in_band", "X-Inngest-Signature": sign(sent, key, desk.clock.now())}
    return web.Response(body=sent, headers=headers)


async def test_an_answer_that_is_not_signed_with_the_key_is_not_believed() -> None:
    async with memory_store() as store:
        desk = Desk.over(store, Settings.model_validate({"signing_key": KEY, "allow_private_urls": True}))
        async with desk.client(dev=False) as client, serving("") as shop:
            shop.instead = signed(desk, {"app_id": "shop", "functions": body(configured())["functions"]}, "cd" * 32)
            await add(client, shop.url)
            assert [headers["X-Inngest-Sync-Kind"] for headers, _ in shop.asked] == ["in_band", "out_of_band"]
            assert not desk.installation.registry.snapshot.functions


async def test_an_app_that_refuses_to_answer_so_is_asked_to_register_itself() -> None:
    async with memory_store() as store:
        desk = Desk.over(store, Settings.model_validate({"signing_key": KEY}))
        async with desk.client(dev=False) as client, serving("") as shop:
            shop.instead = web.json_response({"message": "no"}, status=500, headers=SDK)
            assert "no" in (await add(client, shop.url)).json()["error"]["message"]
            kinds = [headers["X-Inngest-Sync-Kind"] for headers, _ in shop.asked]
            assert kinds == ["in_band", "out_of_band"]


def response(status: int, body: Any = None, **headers: str) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), headers=headers)


@pytest.mark.parametrize(
    ("instead", "says"),
    [
        (response(200, {"modified": True}), "answered 200, but not as an app does"),
        (
            response(307, **SDK, Location="http://169.254.169.254/"),
            "leads to 'http://169.254.169.254/': give the address",
        ),
        (response(200, {"error": "no such\nkey"}, **SDK), "api/inngest: no such key"),
        (response(500, {"message": "broken"}, **SDK), ": broken"),
        (response(500, [], **SDK), "it answered 500"),
        (
            response(500, {"code": "broken"}, **HANDLED),
            "is an app that answered 500: its log",
        ),
        (response(200, "x" * (4 << 20), **SDK), "its answer has more than 4,194,304 bytes"),
    ],
)
async def test_what_an_app_answers_instead_is_told(there: There, instead: web.Response, says: str) -> None:
    _, client, shop = there
    shop.instead = instead
    answer = await add(client, shop.url)
    assert answer.status_code == 502, answer.text
    assert says in answer.json()["error"]["message"]


async def test_what_the_server_has_against_an_app_is_told(there: There) -> None:
    _, client, shop = there
    where = shop.url
    shop.url = "http://169.254.169.254/"
    answer = await add(client, where)
    assert "169.254.169.254 is no address that apps may be served at" in answer.json()["error"]["message"]
    shop.url = where.replace("127.0.0.1", "localhost")
    answer = await add(client, where)
    assert answer.json()["data"] == {"modified": True, "apps": []}  # it says that it is served at another address


@pytest.mark.parametrize(
    "url", ["shop", "http://169.254.169.254/latest", "http://u:p@127.0.0.1/", "http://127.0.0.1:1/"]
)
async def test_what_cannot_be_asked(there: There, url: str) -> None:
    _, client, _ = there
    answer = await add(client, url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "not_registered")


async def test_nobody_is_waited_for_for_long(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    _, client, _ = there
    monkeypatch.setattr(inviting, "PATIENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = await add(client, f"http://127.0.0.1:{listener.getsockname()[1]}/")
    assert "no answer within 0.05 s" in answer.json()["error"]["message"]


async def test_the_command_line(there: There, capsys: pytest.CaptureFixture[str]) -> None:
    _, client, shop = there
    server = ["--url", str(client.base_url).rstrip("/")]

    async def says(*words: str) -> str:
        await asyncio.to_thread(main, ["apps", *words, *server])
        return capsys.readouterr().out

    assert (
        await says("list")
        == "no apps; `stepwell worker path/to/file.py` or `stepwell apps add ADDRESS` registers one\n"
    )
    assert (await says("add", shop.url)).startswith("shop has 1 function, version ")
    assert shop.url in await says("list")
    assert shop.url in await says("list", "--json")
    assert await says("remove", "shop") == "shop has no functions any more\n"
