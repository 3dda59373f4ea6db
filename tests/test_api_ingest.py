"""Events in over HTTP: what is promised, and what hostile or mistaken senders are told."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from stepwell.platform.api import ingest as endpoint
from stepwell.platform.errors import StoreFull, StoreUnavailable
from stepwell.platform.ingest import Ingest
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from stepwell.platform.wire.seeds import seeded
from tests.api_desk import Desk, function, raw


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        yield Desk.over(store)


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def stored(desk: Desk) -> list[str]:
    return [event.name for event in (await desk.installation.history.events(limit=100)).items]


def post(body: bytes, *headers: bytes, path: bytes = b"/e/k") -> bytes:
    head = [b"POST " + path + b" HTTP/1.1", b"Host: 127.0.0.1", *headers]
    if not any(line.lower().startswith((b"content-length", b"transfer-encoding")) for line in headers):
        head.append(b"Content-Length: " + str(len(body)).encode())
    return b"\r\n".join(head) + b"\r\n\r\n" + body


async def test_an_event_starts_its_runs_once_however_often_it_is_sent(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    async with desk.client() as client:
        body = {"name": "order.placed", "data": {"total": 7}, "id": "A-1"}
        answers = [await client.post("/e/any", json=body) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    [ids] = {tuple(answer.json()["ids"]) for answer in answers}
    assert answers[0].json() == {"ids": list(ids), "status": 200}
    event = await desk.installation.history.event(ids[0])
    assert event
    assert (event.data, event.sender_id, len(event.runs)) == ({"total": 7}, "A-1", 1)
    assert await stored(desk) == ["order.placed"]


async def test_an_array_is_answered_in_its_order(client: httpx2.AsyncClient, desk: Desk) -> None:
    answer = await client.post("/e/k", json=[{"name": f"n{index}"} for index in range(200)])
    ids = answer.json()["ids"]
    assert len(set(ids)) == 200
    names = [event.name for id in ids if (event := await desk.installation.history.event(id))]
    assert names == [f"n{index}" for index in range(200)]


GOOD = b'{"name": "ok", "data": {}}'
DEEP = b"[" * 300 + b"]" * 300
MISTAKES: list[tuple[bytes, int, str]] = [
    (b"", 400, "not valid JSON"),
    (b"hello", 400, "not valid JSON"),
    (b"\xff\xfe", 400, "not valid JSON"),
    (b'{"name": "a", "data": {"x": NaN}}', 400, "not valid JSON"),
    (b'{"name": "a", "data": {"x": 1e999}}', 400, "not valid JSON"),
    (b'{"name": "a", "data": {"x": "\\ud800"}}', 400, "not valid JSON"),
    (b'{"name": "a"', 400, "not valid JSON"),
    (GOOD + GOOD, 400, "not valid JSON"),
    (b"[]", 400, "empty array"),
    (b"null", 400, "event 1"),
    (b'"text"', 400, "event 1"),
    (b"7", 400, "event 1"),
    (b"[" + GOOD + b", 7]", 400, "event 2"),
    (b"[" + GOOD + b', {"data": {}}]', 400, "event 2: name"),
    (b"[" + GOOD + b', {"name": 7}]', 400, "event 2: name"),
    (b"[" + GOOD + b', {"name": " "}]', 400, "event 2: name"),
    (b"[" + GOOD + b', {"name": "' + b"x" * 513 + b'"}]', 400, "event 2: name has 513 bytes"),
    (b'{"name": "' + "ü".encode() * 257 + b'"}', 400, "event 1: name has 514 bytes"),
    (b'{"name": "inngest/function.failed"}', 400, "event 1: name"),
    (b"[" + GOOD + b', {"name": "a", "data": []}]', 400, "event 2: data is an array"),
    (b'{"name": "a", "data": "x"}', 400, "event 1: data"),
    (b'{"name": "a", "id": 7}', 400, "event 1: id"),
    (b'{"name": "a", "id": "' + b"x" * 513 + b'"}', 400, "event 1: id"),
    (b'{"name": "a", "ts": "now"}', 400, "event 1: ts"),
    (b'{"name": "a", "ts": 1700000000}', 400, "is it in seconds"),
    (b'{"name": "a", "ts": 99999999999999999999999}', 400, "event 1: ts"),
    (b'{"name": "a", "ts": true}', 400, "event 1: ts"),
    (b"[" + GOOD + b', {"name": "a", "data": {"x": "' + b"y" * (512 << 10) + b'"}}]', 413, "event 2: has"),
    (b"[" + b",".join([GOOD] * 5_001) + b"]", 413, "5,001 events"),
    (
        b"[" + GOOD + b', {"name": "a", "data": {"x": ' + b"[" * 300 + b"]" * 300 + b"}}]",
        400,
        "event 2: data is nested",
    ),
    (b"[" * 200_000, 400, "not valid JSON"),
    (b'{"a":' * 100_000, 400, "not valid JSON"),
]


@pytest.mark.parametrize(("body", "status", "words"), MISTAKES, ids=range(len(MISTAKES)))
async def test_a_mistake_is_named_in_one_line_and_nothing_is_stored(
    client: httpx2.AsyncClient, desk: Desk, body: bytes, status: int, words: str
) -> None:
    answer = await client.post("/e/k", content=body)
    said = answer.json()
    assert answer.status_code == said["status"] == status
    assert said["ids"] == []
    assert words in said["error"]
    assert "\n" not in said["error"]
    assert len(said["error"]) < 400
    assert await stored(desk) == []


async def test_data_may_be_as_deep_as_it_can_be_given_back(client: httpx2.AsyncClient, desk: Desk) -> None:
    deep = b"[" * 240 + b"]" * 240
    answer = await client.post("/e/k", content=b'{"name": "a", "data": {"x": ' + deep + b"}}")
    [id] = answer.json()["ids"]
    again = await client.get(f"/api/v1/events/{id}")
    assert orjson.dumps(again.json()["data"]["data"]["x"]) == deep


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_refused_and_no_page_is_invited(client: httpx2.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/e/k", headers={"Origin": "http://127.0.0.1:8288"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/e/", "/e/a/b", "/e/../e/", "/e/%2F"])
async def test_a_path_without_a_key_is_refused(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.post(path, content=GOOD)
    assert answer.status_code == 401


async def test_only_configured_keys_may_send(desk: Desk) -> None:
    keys = Settings(event_keys=(SecretStr("first"), SecretStr("zwölf")), api_keys=(SecretStr("api"),))
    other = Desk.over(desk.installation.store, keys)
    async with other.client(dev=False) as client:
        for key, status in {"first": 200, "zw%C3%B6lf": 200, "firs": 401, "firstx": 401, "": 401, "api": 401}.items():
            answer = await client.post(f"/e/{key}", content=GOOD)
            assert answer.status_code == status
            assert key == "" or key not in answer.text or status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1234"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8288"},
    ],
)
async def test_pages_of_other_sites_may_not_send(
    client: httpx2.AsyncClient, desk: Desk, headers: dict[str, str]
) -> None:
    answer = await client.post("/e/k", content=GOOD, headers={"Content-Type": "text/plain", **headers})
    assert answer.status_code == 403
    assert answer.json()["ids"] == []
    assert await stored(desk) == []


async def test_our_own_pages_may_send(client: httpx2.AsyncClient) -> None:
    for headers in ({"Origin": "http://127.0.0.1:8288"}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://x"}):
        assert (await client.post("/e/k", content=GOOD, headers=headers)).status_code == 200


async def test_a_name_that_is_not_ours_is_refused(desk: Desk) -> None:
    async with desk.client(url="http://evil.example:8288") as client:
        answer = await client.post("/e/k", content=GOOD)
    assert answer.status_code == 421
    assert "evil.example" in answer.json()["error"]


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (StoreUnavailable("redis://secret-host", "gone"), 503, "5"),
        (StoreFull("redis://secret-host"), 503, "5"),
        (RuntimeError("secret-detail"), 500, None),
    ],
)
async def test_what_goes_wrong_inside_is_said_without_showing_the_inside(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, retry: str | None
) -> None:
    async def accept(*_: Any) -> list[str]:
        raise error

    monkeypatch.setattr(Ingest, "accept", accept)
    answer = await client.post("/e/k", content=GOOD)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers.get("retry-after") == retry
    assert "secret" not in answer.text


async def test_a_body_that_is_announced_too_large_is_not_read(desk: Desk) -> None:
    async with desk.serving() as server:
        answer = await raw(server, post(b"", b"Content-Length: 99999999999"))
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer.lower()
        answer = await raw(server, post(b"", b"Content-Length: " + b"9" * 19))
        assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


async def test_a_body_that_grows_too_large_is_cut_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "MAX_REQUEST", 1_000)
    chunk = b"190\r\n" + b" " * 400 + b"\r\n"
    async with desk.serving() as server:
        answer = await raw(server, post(b"", b"Transfer-Encoding: chunked") + chunk * 4)
        assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1, 2", b"0x10", b""])
async def test_a_length_that_is_none_is_refused(desk: Desk, length: bytes) -> None:
    async with desk.serving() as server:
        answer = await raw(server, post(b"", b"Content-Length: " + length) + GOOD)
        assert answer.startswith(b"HTTP/1.1 400")


async def test_a_length_that_is_not_that_of_the_body_is_refused(client: httpx2.AsyncClient, desk: Desk) -> None:
    answer = await client.post("/e/k", content=GOOD, headers={"Content-Length": "7"})
    assert (answer.status_code, answer.json()["ids"]) == (400, [])
    assert "7" in answer.json()["error"]
    assert await stored(desk) == []


async def test_bodies_in_chunks_and_in_pieces_are_whole(desk: Desk) -> None:
    chunked = b"".join(b"%x\r\n%b\r\n" % (1, GOOD[index : index + 1]) for index in range(len(GOOD))) + b"0\r\n\r\n"
    async with desk.serving() as server:
        whole = post(GOOD)
        answer = await raw(server, *[whole[index : index + 9] for index in range(0, len(whole), 9)])
        assert answer.startswith(b"HTTP/1.1 200")
        answer = await raw(server, post(b"", b"Transfer-Encoding: chunked"), chunked)
        assert answer.startswith(b"HTTP/1.1 200")
    assert await stored(desk) == ["ok", "ok"]


async def test_a_body_that_never_arrives_is_given_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PATIENCE", 0.05)
    async with desk.serving() as server:
        answer = await raw(server, post(b"", b"Content-Length: 50") + b"{")
        assert answer.startswith(b"HTTP/1.1 408")
        answer = await raw(server, post(b"", b"Content-Length: 50"))
        assert answer.startswith(b"HTTP/1.1 408")


async def test_a_sender_that_hangs_up_midway_has_sent_nothing(desk: Desk) -> None:
    async with desk.serving() as server:
        reader, writer = await server.connect()
        writer.write(post(b"", b"Content-Length: 50") + GOOD)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert (await raw(server, post(GOOD))).startswith(b"HTTP/1.1 200")
    assert await stored(desk) == ["ok"]


@pytest.mark.parametrize("path", ["/e/k", "/api/v1/events"])
async def test_nothing_is_said_to_a_sender_that_hung_up_nor_of_it(desk: Desk, path: str) -> None:
    headers = [(b"host", b"localhost")]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError("nothing is to be said")

    with capture_logs() as logs:
        await desk.front()(scope, receive, send)
    assert logs == []


async def test_a_cancelled_request_is_not_taken_for_a_slow_one(desk: Desk) -> None:
    front = desk.front()
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/e/k", "headers": []}
    reading = asyncio.Event()

    async def receive() -> Any:
        reading.set()
        await asyncio.Event().wait()

    async def send(_: Any) -> None:
        raise AssertionError("nothing is to be said")

    task = asyncio.create_task(front(scope, receive, send))
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate"])
async def test_encoded_bodies_are_refused_by_name(client: httpx2.AsyncClient, encoding: str) -> None:
    answer = await client.post("/e/k", content=b"\x1f\x8b", headers={"Content-Encoding": encoding})
    assert answer.status_code == 415
    assert encoding in answer.json()["error"]


async def test_headers_cannot_be_smuggled_through_what_is_answered(desk: Desk) -> None:
    async with desk.serving() as server:
        evil = b'{"name": "a\\r\\nSet-Cookie: x=1", "data": "\\r\\nSet-Cookie: x=1"}'
        answer = await raw(server, post(evil, b"Content-Encoding: x\ty"))
        head, _, _ = answer.partition(b"\r\n\r\n")
        assert b"set-cookie" not in head.lower()
        answer = await raw(server, post(evil, path=b"/e/%0d%0aSet-Cookie:%20x=1"))
        head, _, _ = answer.partition(b"\r\n\r\n")
        assert b"set-cookie" not in head.lower()


SEED = {"x-inngest-event-id-seed": "1795000000000,AAAAAAAA/////w=="}


async def test_events_that_are_sent_again_with_their_seed_are_the_same(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    body: list[Any] = [
        {"name": "order.placed", "data": {"n": 1}, "user": {}, "v": "1"},
        {"name": "order.placed", "id": "own"},
    ]
    async with desk.client() as client:
        answers = [await client.post("/e/any", json=body, headers=SEED) for _ in range(2)]
        other = await client.post(
            "/e/any", json=body[:1], headers={**SEED, "x-inngest-event-id-seed": "1,AAAAAAAA/////w=="}
        )
    [ids] = {tuple(answer.json()["ids"]) for answer in answers}
    assert other.json()["ids"] != [ids[0]]
    given = [event.sender_id for id in ids if (event := await desk.installation.history.event(id))]
    assert given == [next(seeded(SEED["x-inngest-event-id-seed"].encode())), "own"]
    assert len(await stored(desk)) == 3


@pytest.mark.parametrize(
    "seed", ["", "x", "1,", ",AAAAAAAA/////w==", "1,AAAA", "1,ä", "99999999999999999,AAAAAAAA/////w=="]
)
async def test_what_is_no_seed_names_nothing(client: httpx2.AsyncClient, desk: Desk, seed: str) -> None:
    headers = [(b"x-inngest-event-id-seed", seed.encode())]
    answers = [await client.post("/e/any", json={"name": "a"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(await stored(desk)) == 2
