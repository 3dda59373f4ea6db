"""Requests that the server makes for steps of served apps."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from aiohttp import web

from stepwell.platform.executor.remote import gateway as module
from stepwell.platform.executor.remote.gateway import Asked, Gateway, NotFetched
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.remote_desk import Answer, RemoteDesk, Told, answer, op, ops


class Place:
    """Somewhere on this machine that requests are made to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.answers: list[web.Response] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.seen.append((request.method, request.path_qs, {k.lower(): v for k, v in request.headers.items()}, body))
        return self.answers.pop(0) if self.answers else web.Response(text="hello", headers={"X-Kind": "plain"})


@pytest.fixture
async def place() -> AsyncGenerator[Place]:
    made, application = Place(), web.Application()
    application.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await web.SockSite(runner, listener).start()
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield made
        await runner.cleanup()


def settings(hosts: str = "127.0.0.1") -> Settings:
    return Settings.model_validate({"gateway_hosts": hosts, "retry_interval": 1})


def asks(code: str, **options: Any) -> Any:
    """An app with one step that is a request, and returns what it was told of it."""

    def app(told: Told) -> Answer:
        return answer(200, told.of("call")) if told.knows("call") else ops(op(code, "call", opts=options))

    return app


async def test_a_request_is_made_and_its_answer_is_told(store: Store, place: Place) -> None:
    place.answers = [web.Response(status=404, text="nothing here", headers={"X-Kind": "gone", "Set-Cookie": "a=b"})]
    said = {"X-A": "b", "Host": "evil", "Content-Length ": "1", "X Y": "z"}
    options = {"url": f"{place.url}/x?y=1", "method": "POST", "headers": said, "body": "hi"}
    async with RemoteDesk.open(store, asks("Gateway", **options), settings()) as desk:
        told = (await desk.output(await desk.start("pay")))["data"]
        assert (told["status_code"], told["body"], told["headers"]["x-kind"]) == (404, "nothing here", "gone")
        assert "set-cookie" not in told["headers"]
        [(method, path, headers, body)] = place.seen
        assert (method, path, headers["x-a"], body) == ("POST", "/x?y=1", "b", b"hi")
        assert headers["host"] != "evil"
        assert (headers["content-length"], "x y" in headers) == ("2", False)


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [("openai-chat", "authorization", "Bearer k"), ("anthropic", "x-api-key", "k"), ("gemini", "content-type", None)],
)
async def test_a_model_is_asked_with_its_key(
    store: Store, place: Place, kind: str, header: str, value: str | None
) -> None:
    place.answers = [web.json_response({"choices": [1]})]
    options = {"url": f"{place.url}/v1", "auth_key": "k", "format": kind, "headers": {}, "body": {"model": "m"}}
    async with RemoteDesk.open(store, asks("AIGateway", **options), settings()) as desk:
        assert await desk.output(await desk.start("pay")) == {"data": {"choices": [1]}}
        [(method, _, headers, body)] = place.seen
        assert (method, headers[header], body) == ("POST", value or "application/json", b'{"model":"m"}')


async def test_what_json_cannot_hold_of_an_answer_is_left_out(store: Store) -> None:
    """As the names of files, which some servers write in Latin-1."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nx-file: r\xe9sum\xe9\r\nx-name: \xc3\xa9\r\ncontent-length: 2\r\n\r\n\xe9!")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with RemoteDesk.open(store, asks("Gateway", url=url), settings()) as desk:
            told = (await desk.output(await desk.start("pay")))["data"]
    lost, headers = "\N{REPLACEMENT CHARACTER}", told["headers"]
    assert (headers["x-file"], headers["x-name"]) == (f"r{lost}sum{lost}", "é")
    assert told["body"] == f"{lost}!"


async def test_what_a_model_nests_too_deeply_fails_the_step_only(store: Store, place: Place) -> None:
    place.answers = [web.Response(body=b"[" * 500 + b"]" * 500) for _ in range(3)]
    async with RemoteDesk.open(store, asks("AIGateway", url=place.url, body={}), settings()) as desk:
        run = await desk.start("pay")
        for seconds in (1, 2):
            await desk.until(run, Status.WAITING)
            await desk.advance(seconds * 1000)
        assert "nested more than" in (await desk.output(run))["error"]["message"]
        assert len(place.seen) == 3


async def test_a_model_that_is_busy_is_asked_again_as_a_step_is(store: Store, place: Place) -> None:
    busy, later = web.Response(status=429), web.Response(status=503, headers={"Retry-After": "9"})
    place.answers = [busy, later, web.json_response("ok")]
    async with RemoteDesk.open(store, asks("AIGateway", url=place.url, body={}), settings()) as desk:
        run = await desk.start("pay")
        for seconds in (1, 9):
            await desk.until(run, Status.WAITING)
            await desk.advance(seconds * 1000)
        assert await desk.output(run) == {"data": "ok"}
        assert (await desk.steps(run))["call"].attempts == 3


async def test_what_a_model_refuses_is_not_asked_again(store: Store, place: Place) -> None:
    place.answers = [web.Response(status=401, text="no such key")]
    async with RemoteDesk.open(store, asks("AIGateway", url=place.url, body={}), settings()) as desk:
        told = await desk.output(await desk.start("pay"))
        assert told == {"error": {"name": "GatewayError", "message": "the model answers 401: no such key"}}
        assert len(place.seen) == 1


async def test_two_requests_of_one_reply_are_both_made(store: Store, place: Place) -> None:
    def app(told: Told) -> Answer:
        if told.knows("a") and told.knows("b"):
            return answer(200, [told.of("a")["data"]["body"], told.of("b")["data"]["body"]])
        return ops(*(op("Gateway", key, opts={"url": place.url}) for key in "ab" if not told.knows(key)))

    async with RemoteDesk.open(store, app, settings()) as desk:
        assert await desk.output(await desk.start("pay")) == ["hello", "hello"]
        assert len(place.seen) == 2


@pytest.mark.parametrize(
    ("hosts", "url", "says"),
    [
        ("", "http://api.example.com/", "STEPWELL_GATEWAY_HOSTS is not set, so the server makes no requests"),
        (
            "*.example.com",
            "http://example.org/?key=s",
            "requests to example.org are not allowed: STEPWELL_",
        ),
        ("*", "http://127.0.0.1:1/", "127.0.0.1 is no address that apps may be served at"),
        ("169.254.169.254", "http://169.254.169.254/", "169.254.169.254 is no address that apps may be served at"),
        ("*", "nowhere", "no address with a host"),
        ("*", "ftp://example.com/", "no address that begins with http"),
    ],
)
async def test_what_is_not_allowed_is_refused_for_good(hosts: str, url: str, says: str) -> None:
    with pytest.raises(NotFetched) as refused:
        await Gateway.of(settings(hosts), private=True).fetch(Asked(url))
    assert says in str(refused.value)
    assert "key=s" not in str(refused.value)
    assert refused.value.final


async def test_the_step_says_which_setting_is_missing(store: Store) -> None:
    async with RemoteDesk.open(store, asks("Gateway", url="http://api.example.com/")) as desk:
        told = await desk.output(await desk.start("pay"))
        assert "STEPWELL_GATEWAY_HOSTS is not set" in told["error"]["message"]


async def test_redirects_are_answers_and_answers_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway.of(settings(), private=True)
    place.answers = [web.Response(status=302, headers={"Location": "http://169.254.169.254/"})]
    assert (await gateway.fetch(Asked(place.url))).status == 302
    monkeypatch.setattr(module, "MOST", 1000)
    place.answers = [web.Response(body=b"x" * 1001)]
    with pytest.raises(NotFetched, match="more than 1,000 bytes"):
        await gateway.fetch(Asked(place.url))
    with pytest.raises(NotFetched, match="the request has 1,001 bytes"):
        await gateway.fetch(Asked(place.url, "POST", {}, b"x" * 1001))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotFetched, match=r"127\.0\.0\.1 cannot be reached") as away:
        await gateway.fetch(Asked(f"http://127.0.0.1:{port}/"))
    assert not away.value.final
