"""What the client puts on the wire, and what it makes of a wire that breaks."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import orjson
import pytest
from aiohttp.abc import ResolveResult

from stepwell.client import Client, ClientError, Event, Retry, Unexpected, Unreachable
from stepwell.client.address import Address
from stepwell.client.connection import Connection

ONCE = Retry(tries=1)
AGAIN = Retry(tries=2, first=0)
KEY = "key/of events"


def ok(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


IDS = ok(b'{"ids": ["1"]}')
RUN = orjson.dumps({"id": "R1", "function": "a/f", "app": "a", "status": "completed"})
GOT = ok(b'{"data": ' + RUN + b"}")


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.line.split()[1]).query)


@dataclass
class Wire:
    """A server that gives one reply after another and then is silent; it keeps a connection after `IDS` and `GOT`."""

    url: str = ""
    replies: list[bytes] = field(default_factory=list[bytes])
    requests: list[Request] = field(default_factory=list[Request])
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while (await self._answered(reader, writer, number)) in (IDS, GOT):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bytes:
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Request(line, headers, body, number))
        if not self.replies:
            await reader.read()
            return b""
        reply = self.replies.pop(0)
        writer.write(reply)
        await writer.drain()
        return reply


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0, limit=1 << 23)
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield wire
    server.close()


def client(wire: Wire, retry: Retry = ONCE, timeout: float = 30) -> Client:
    return Client(wire.url, KEY, api_key="api", retry=retry, timeout=timeout)


async def test_a_send_carries_its_key_in_the_path_and_nothing_unasked(wire: Wire) -> None:
    wire.replies = [ok(b'{"ids": ["1"]}', "Set-Cookie: a=b"), IDS]
    async with client(wire) as sender:
        await sender.send(Event("a"))
        await sender.send(Event("a"))
    for request in wire.requests:
        assert request.line == "POST /e/key%2Fof%20events HTTP/1.1"
        headers = request.headers
        assert headers.pop("user-agent").startswith("stepwell-client/")
        assert headers.pop("content-type") == "application/json"
        assert set(headers) <= {"host", "accept", "accept-encoding", "connection", "content-length"}


async def test_an_action_without_a_body_says_so(wire: Wire) -> None:
    wire.replies = [GOT]
    async with client(wire) as caller:
        await caller.runs.cancel("R1")
    [request] = wire.requests
    assert (request.headers["content-length"], request.headers["authorization"]) == ("0", "Bearer api")
    assert "content-type" not in request.headers


@pytest.mark.parametrize("id", ["a b", "a/b", "a%2Fb", "a+b", "ü", "..", "a?b#c", "%"])
async def test_an_id_arrives_as_it_is(wire: Wire, id: str) -> None:
    wire.replies = [GOT]
    async with client(wire) as caller:
        await caller.runs.get(id)
    expected = {"a b": "a%20b", "a/b": "a%2Fb", "a%2Fb": "a%252Fb", "a+b": "a%2Bb", "ü": "%C3%BC"}
    expected |= {"..": "..", "a?b#c": "a%3Fb%23c", "%": "%25"}
    assert wire.requests[0].line == f"GET /api/v1/runs/{expected[id]} HTTP/1.1"


@pytest.mark.parametrize("name", ["a b", "a+b", "a%2Fb", "a/b", "ü", "a&b=c", "#", ";"])
async def test_a_filter_arrives_as_it_is(wire: Wire, name: str) -> None:
    wire.replies = [ok(b'{"data": []}')]
    async with client(wire) as caller:
        await caller.runs.list(event=name, limit=5)
    assert wire.requests[0].query == [("event", name), ("limit", "5")]


async def test_a_server_may_be_mounted_under_a_path(wire: Wire) -> None:
    wire.replies = [GOT]
    async with Client(f"{wire.url}/a%20b/", retry=ONCE) as caller:
        await caller.runs.get("R1")
    assert wire.requests[0].line == "GET /a%20b/api/v1/runs/R1 HTTP/1.1"


async def test_connections_are_kept(wire: Wire) -> None:
    wire.replies = [IDS, IDS, GOT, GOT, GOT]
    async with client(wire) as caller:
        await caller.send(Event("a"))
        await caller.send(Event("a"))
        await caller.runs.get("R1")
        await caller.runs.wait("R1")
        await caller.runs.wait("R1")
    assert [request.connection for request in wire.requests] == [1, 1, 1, 2, 2]


async def test_a_connection_that_was_closed_while_idle_costs_a_try_at_most(wire: Wire) -> None:
    wire.replies = [IDS, b"", IDS]
    async with client(wire, AGAIN) as sender:
        await sender.send(Event("a"))
        assert await sender.send(Event("a")) == ["1"]
    assert [request.connection for request in wire.requests] == [1, 1, 2]
    assert wire.requests[1].body == wire.requests[2].body


async def test_a_large_event_goes_out_whole(wire: Wire) -> None:
    wire.replies = [b"", IDS]
    async with client(wire, AGAIN) as sender:
        await sender.send(Event("a", {"text": "x" * 3_000_000}))
    assert [len(request.body) > 3_000_000 for request in wire.requests] == [True, True]
    assert wire.requests[0].body == wire.requests[1].body


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (b"", Unreachable, "was closed before there was an answer"),
        (b"HTTP/1.1 200 OK\r\nConte", Unreachable, "was closed before there was an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Unreachable, "broke off before its end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", Unreachable, "broke off before its end"),
        (b"-ERR unknown command\r\n", Unexpected, "what is not HTTP"),
        (ok(b"abc", "Content-Encoding: gzip"), Unexpected, "cannot be decompressed"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", Unexpected, "302 and points to /x"),
    ],
)
async def test_what_broke_is_said_on_one_line_without_the_key(
    wire: Wire, reply: bytes, kind: type[ClientError], said: str
) -> None:
    wire.replies = [reply]
    async with client(wire) as sender:
        with pytest.raises(kind, match=said) as error:
            await sender.send(Event("a"))
    assert "\n" not in str(error.value)
    assert "of%20events" not in "".join(traceback.format_exception(error.value))


async def test_a_server_that_says_nothing_is_given_up(wire: Wire) -> None:
    async with client(wire, timeout=0.1) as sender:
        with pytest.raises(Unreachable, match="nothing came within the time limit") as error:
            await sender.send(Event("a"))
    assert "of%20events" not in "".join(traceback.format_exception(error.value))


async def test_a_name_that_is_looked_up_for_too_long_is_given_up(no_proxies: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError

    no_proxies.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    async with Client("http://stepwell.example:8288", timeout=0.1, retry=ONCE) as sender, asyncio.timeout(20):
        with pytest.raises(Unreachable, match="within the time limit"):
            await sender.send(Event("a"))


async def test_nobody_there_is_a_refused_connection() -> None:
    async with Client("http://127.0.0.1:1", retry=ONCE) as sender:
        with pytest.raises(Unreachable) as error:
            await sender.send(Event("a"))
    assert error.value.reason == "127.0.0.1:1 refused the connection"


async def test_the_callers_own_time_limit_and_cancelling_are_the_callers(wire: Wire) -> None:
    async with client(wire) as caller:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await caller.runs.get("R1")
        asking = asyncio.create_task(caller.runs.get("R1"))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_lines_are_given_as_they_come_and_end_with_an_error_when_they_break(wire: Wire) -> None:
    wire.replies = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\na\r\n\xc3\xbc\n\r\n1\r\nx\r\n"]
    connection = Connection(Address(wire.url, KEY, None), ONCE, 5)
    lines = connection.lines("/api/v1/stream", {"run": "a b"})
    assert [await anext(lines), await anext(lines)] == ["a", "ü"]
    with pytest.raises(Unreachable, match="broke off"):
        await anext(lines)
    assert wire.requests[0].query == [("run", "a b")]
    await connection.close()


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


async def test_the_proxy_of_the_environment_is_used(wire: Wire, no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("http_proxy", wire.url.replace("http://", "http://me:secret@"))
    wire.replies = [IDS]
    async with Client("http://stepwell.example:8288", "k", retry=ONCE) as sender:
        await sender.send(Event("a"))
    [request] = wire.requests
    assert request.line == "POST http://stepwell.example:8288/e/k HTTP/1.1"
    assert request.headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("excepted", ["127.0.0.1", "127.0.0.1:{port}", "*"])
async def test_no_proxy_is_used_for_what_is_excepted(wire: Wire, no_proxies: pytest.MonkeyPatch, excepted: str) -> None:
    no_proxies.setenv("all_proxy", "127.0.0.1:1")
    no_proxies.setenv("no_proxy", excepted.format(port=urlsplit(wire.url).port))
    wire.replies = [IDS]
    async with client(wire) as sender:
        await sender.send(Event("a"))


async def test_a_proxy_that_is_not_there_is_named(wire: Wire, no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("all_proxy", "127.0.0.1:1")
    async with client(wire) as sender:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 refused"):
            await sender.send(Event("a"))


async def test_a_proxy_of_another_kind_is_refused(wire: Wire, no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("all_proxy", "socks5://me:secret@127.0.0.1:1")
    async with client(wire) as sender:
        with pytest.raises(ValueError, match=r"names a socks5 proxy for 127\.0\.0\.1; only http"):
            await sender.send(Event("a"))
