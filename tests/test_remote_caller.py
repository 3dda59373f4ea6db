"""Calls over a real network: what an app does to the connection, and what is said of it."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from stepwell.functions.signing import Keys, sign, verify
from stepwell.platform.clock import ManualClock
from stepwell.platform.executor.remote import caller as room
from stepwell.platform.executor.remote.caller import HttpCaller, Seal, Unsigned
from stepwell.platform.executor.remote.sealing import Sealed
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.operations import BadReply
from stepwell.platform.wire.replies import Away, Broken, Output, Reply
from tests.redis_servers import free_port

Behaviour: TypeAlias = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""What an app does with a request."""
KEY, OTHER = "signkey-prod-" + "ab" * 32, "signkey-prod-" + "cd" * 32
SDK = b"x-inngest-sdk: inngest-py:v0.5.19\r\n"
BODY = b'{"n":1.5,"run":"r"}'


def http(status: int, body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """A response as it is on the network."""
    lines = b"".join(line + b"\r\n" for line in headers)
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n%s\r\n%s" % (
        status,
        len(body) if length is None else length,
        lines,
        body,
    )


def saying(data: bytes) -> Behaviour:
    """Answers that, and hangs up."""

    async def behave(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return behave


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(length)


@asynccontextmanager
async def app(behave: Behaviour) -> AsyncGenerator[tuple[str, list[bytes]]]:
    """An app on loopback; its address, and what it has been sent."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            requests.append(await _request(reader))
            await behave(requests[-1], writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api?fnId=a&stepId=step", requests
    finally:
        server.close()


async def called(url: str, seal: Seal | None = None, *, patience: float = 5.0, private: bool = True) -> Reply:
    """What a call of that address brings."""
    addresses = Addresses(private=private)
    async with room.session(addresses) as session:
        caller = HttpCaller(
            session, ManualClock(), seal or Unsigned(), addresses.check_url, kind="dev", patience=patience
        )
        return await caller.call(url, "01RUN", 2, BODY)


async def refused(behave: Behaviour, kind: type[Exception] = BadReply, *, patience: float = 5.0) -> str:
    """What is said of an app."""
    async with app(behave) as (url, requests):
        with pytest.raises(kind) as caught:
            await called(url, patience=patience)
        assert caught.type is kind
        assert len(requests) == 1, "it is called once"
    return str(caught.value)


async def test_a_call_is_json_and_says_what_it_is_about() -> None:
    async with app(saying(http(200, b'"paid"', SDK[:-2], b"x-inngest-req-version: 1"))) as (url, requests):
        reply = await called(url)
    assert (reply.said, reply.version) == (Output(b'"paid"'), 1)
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /api?fnid=a&stepid=step http/1.1"
    for line in (b"content-type: application/json", b"x-run-id: 01run", b"x-inngest-req-version: 2"):
        assert line in lines
    assert b"x-inngest-server-kind: dev" in lines
    assert body == BODY


async def test_a_page_of_somebody_else_is_no_answer() -> None:
    said = await refused(saying(http(200, b"<h1>Sign in</h1>", b"content-type: text/html; charset=utf-8")))
    assert said.startswith("it answers 200 with text/html, and not as an SDK does: is this the address of the app?")
    assert "<h1>Sign in</h1>" in said


async def test_an_answer_in_the_place_of_the_app_says_that_it_is_away() -> None:
    for status in (429, 502, 503):
        assert await refused(saying(http(status, b"<h1>no</h1>")), Away) == f"the app answers {status}"


async def test_a_proxy_that_waits_no_longer_says_that_the_app_had_the_call() -> None:
    said = await refused(saying(http(504, b"<h1>no</h1>")), Broken)
    assert said == "somebody answers 504 in the place of the app, which had the call"


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"HTTP/1.1 206 X\r\n" + SDK,
        http(206, b'[{"op":', SDK[:-2], length=100),
        b"HTTP/1.1 206 X\r\ntransfer-encoding: chunked\r\n" + SDK + b'\r\n5\r\n[{"op\r\n',
    ],
    ids=["nothing", "half a head", "half a body", "half of the chunks"],
)
async def test_an_app_that_breaks_off_is_called_again(half: bytes) -> None:
    """As one does that is killed."""
    assert "the connection to the app broke" in await refused(saying(half), Broken)


async def test_what_is_no_http_is_no_answer() -> None:
    said = await refused(saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"))
    assert said.startswith("its answer cannot be read: ")


async def test_what_cannot_be_unpacked_is_no_answer() -> None:
    said = await refused(saying(http(200, b"no gzip at all", SDK[:-2], b"content-encoding: gzip")))
    assert said.startswith("its answer cannot be read: ")


async def test_half_of_json_is_no_answer() -> None:
    assert "answers 206 with what is no JSON" in await refused(saying(http(206, b'[{"op":"Ste', SDK[:-2])))


async def test_an_answer_may_be_large_but_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ten = b'"' + b"x" * (10 << 20) + b'"'
    async with app(saying(http(200, ten, SDK[:-2]))) as (url, _):
        assert (await called(url)).said == Output(ten), "how large an output may be is not said here"
    monkeypatch.setattr(room, "LARGEST", 1 << 20)
    assert await refused(saying(http(200, ten, SDK[:-2]))) == "it answers with more than 1,048,576 bytes"
    packed = gzip.compress(b"\0" * (64 << 20))
    assert await refused(saying(http(200, packed, SDK[:-2], b"content-encoding: gzip"))) == (
        "it answers with more than 1,048,576 bytes"
    )


async def test_an_app_that_never_stops_talking_is_left() -> None:
    async def talk(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 X\r\ntransfer-encoding: chunked\r\n" + SDK + b"\r\n")
        while True:  # the spaces that keep a connection open
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert "has not answered within 0.3 s" in await refused(talk, patience=0.3)


async def test_an_app_that_answers_after_its_time_is_told_off() -> None:
    async def wait(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)
        writer.write(http(200, b"1", SDK[:-2]))

    said = await refused(wait, patience=0.2)
    assert said == "it has not answered within 0.2 s (setting STEPWELL_CALL_TIMEOUT)"


async def test_nobody_listens() -> None:
    with pytest.raises(Away, match="the app cannot be reached: Connect") as caught:
        await called(f"http://127.0.0.1:{free_port()}/")
    assert caught.type is Away, "nothing of a run was executed"


async def test_a_name_that_nobody_answers_for_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object) -> list[ResolveResult]:
        await asyncio.get_running_loop().create_future()
        return []

    monkeypatch.setattr(room, "CONNECT", 0.1)
    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)
    with pytest.raises(Away, match=r"does not accept a connection within 0\.1 s"):
        await called("http://app.example/api")


async def test_redirects_are_not_followed() -> None:
    for status in (301, 302, 303, 307, 308):
        for where in (b"/api?fnId=a&stepId=step", b"http://169.254.169.254/latest/meta-data"):
            said = await refused(saying(http(status, b"", b"location: " + where)))
            assert said.startswith(f"it redirects to {where.decode()}, which is not followed: add the app by")


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0.0.0.0", "127.1"])
async def test_an_address_that_no_app_may_have_is_not_called(host: str) -> None:
    """Whatever was registered once: names are looked at when they are resolved."""
    with pytest.raises(BadReply, match="the address of the app is refused: "):
        await called(f"http://{host}/api")


async def test_a_private_address_is_not_called_where_that_is_not_allowed() -> None:
    async with app(saying(http(200, b"1", SDK[:-2]))) as (url, requests):
        with pytest.raises(BadReply, match="STEPWELL_ALLOW_PRIVATE_URLS"):
            await called(url, private=False)
        with pytest.raises(Away, match="STEPWELL_ALLOW_PRIVATE_URLS"):
            await called(url.replace("127.0.0.1", "localhost"), private=False)
    assert requests == []


async def test_an_app_gets_no_cookies_back() -> None:
    async with app(saying(http(200, b"1", SDK[:-2], b"connection: close", b"set-cookie: a=1; Path=/"))) as (
        url,
        requests,
    ):
        addresses = Addresses(private=True)
        async with room.session(addresses) as session:
            caller = HttpCaller(session, ManualClock(), Unsigned(), addresses.check_url, kind="dev", patience=5)
            for _ in range(2):
                await caller.call(url.replace("127.0.0.1", "localhost"), "01RUN", 2, BODY)
    assert len(requests) == 2
    assert not any(b"\r\ncookie:" in request.lower() for request in requests)


def _knowing(key: str, now: int) -> Behaviour:
    """An app that executes what is signed with a key, and nothing else."""

    async def behave(request: bytes, writer: asyncio.StreamWriter) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        [line] = [line for line in head.split(b"\r\n") if line.lower().startswith(b"x-inngest-signature: ")]
        known = verify(body, line[21:].decode(), [key], now)
        answer = (200, b'"yes"') if known else (401, b'{"message":"no"}')
        writer.write(http(*answer, SDK[:-2], b"connection: close"))
        await writer.drain()

    return behave


async def test_a_call_is_signed_and_its_answer_looked_at() -> None:
    clock = ManualClock()
    seal = Sealed(Keys(KEY, OTHER), clock)

    def signed(key: str, body: bytes, at: int) -> Behaviour:
        return saying(http(200, body, SDK[:-2], b"x-inngest-signature: " + sign(b'"yes"', key, at).encode()))

    for key in (KEY, OTHER):
        async with app(signed(key, b'"yes"', clock.now())) as (url, requests):
            assert (await called(url, seal)).said == Output(b'"yes"')
        head, _, body = requests[0].partition(b"\r\n\r\n")
        [line] = [line for line in head.split(b"\r\n") if line.lower().startswith(b"x-inngest-signature: ")]
        assert body == BODY
        assert verify(body, line[21:].decode(), [KEY], clock.now())
    async with app(_knowing(OTHER, clock.now())) as (url, requests):
        assert (await called(url, seal)).said == Output(b'"yes"')
        assert len(requests) == 2, "with the key in use first, which the app does not have yet"
    wrong = [
        signed("ef" * 32, b'"yes"', clock.now()),
        signed(KEY, b'"no"', clock.now()),
        signed(KEY, b'"yes"', clock.now() - 400_000),
        signed(KEY, b'"yes"', clock.now() + 400_000),
        saying(http(200, b'"yes"', SDK[:-2], b"x-inngest-signature: t=1&s=2")),
    ]
    for behave in wrong:
        async with app(behave) as (url, _):
            with pytest.raises(BadReply, match="its answer is signed with another key, or was long under way"):
                await called(url, seal)
