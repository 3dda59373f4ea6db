"""The client against a server over HTTP: one that loses replies, is busy, and breaks held responses."""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from stepwell.client import (
    Busy,
    Client,
    Event,
    Faulty,
    NotFound,
    Refused,
    Retry,
    Run,
    TooLarge,
    Unauthorized,
    Unexpected,
    Unreachable,
)

QUICK = Retry(tries=4, first=0)
RUN = {"id": "R1", "function": "shop/fulfil", "app": "shop", "status": "running", "event_id": "E1", "new": "ignored"}
ENDED = RUN | {"status": "completed", "output": {"ok": True}, "ended_at": 5}

Body = bytes | type[ConnectionError]
Reply = Callable[[Any], Response]


@dataclass
class Desk:
    """A server that stores each event once by its own id; `replies` and `held` are used up before it behaves."""

    url: str = ""
    stored: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    posts: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])
    requests: list[Request] = field(default_factory=list[Request])
    replies: list[Reply] = field(default_factory=list[Reply])
    held: list[Sequence[Body]] = field(default_factory=list[Sequence[Body]])
    runs: dict[str, Any] = field(default_factory=dict[str, Any])

    async def ingest(self, request: Request) -> Response:
        events = orjson.loads(await request.body())
        self.requests.append(request)
        self.posts.append(events)
        return self.replies.pop(0)(events) if self.replies else self.accept(events)

    def accept(self, events: list[dict[str, Any]]) -> Response:
        bad = [index for index, event in enumerate(events) if event["name"] == "bad"]
        if bad:
            return refuse(400, f"event {bad[0]}: name is bad")
        for event in events:
            self.stored.setdefault(event["id"], event)
        return JSONResponse({"ids": [f"S-{event['id']}" for event in events], "status": 200})

    def lose_reply(self, events: list[dict[str, Any]]) -> Response:
        self.accept(events)
        return cut()

    async def api(self, request: Request) -> Response:
        self.requests.append(request)
        if self.replies:
            return self.replies.pop(0)(request)
        if "wait" in request.query_params:
            return StreamingResponse(spoken(self.held.pop(0)), media_type="application/json")
        return JSONResponse(self.runs[request.url.path])


def cut() -> Response:
    """A response whose connection closes before it is whole."""
    return Response(b"", headers={"Content-Length": "9"})


def refuse(status: int, error: Any, **headers: str) -> Response:
    return JSONResponse({"ids": [], "status": status, "error": error}, status, headers)


def given(answer: Response, _: Any) -> Response:
    return answer


async def spoken(parts: Sequence[Body]) -> AsyncIterator[bytes]:
    for part in parts:
        if not isinstance(part, bytes):
            raise part
        yield part


def data(value: Any, **more: Any) -> bytes:
    return orjson.dumps({"data": value, **more})


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    routes = [
        Route("/e/{key}", desk.ingest, methods=["POST"]),
        Route("/api/v1/{path:path}", desk.api, methods=["GET", "POST"]),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(Starlette(routes=routes), log_config=None, lifespan="off", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        desk.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.start()
        yield desk
        server.should_exit = True
        thread.join()


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[Client]:
    async with Client(desk.url, "k 1", api_key="secret", retry=QUICK) as client:
        yield client


async def test_an_event_is_sent_with_an_id_and_the_servers_id_comes_back(desk: Desk, client: Client) -> None:
    [id] = await client.send(Event("order.placed", {"total": 7}))
    [[event]] = desk.posts
    assert event["data"] == {"total": 7}
    assert len(event["id"]) == 26
    assert id == f"S-{event['id']}"
    assert desk.requests[0].path_params["key"] == "k 1"


async def test_ids_come_back_in_the_order_of_the_events(client: Client) -> None:
    assert await client.send([Event("a", id="1"), Event("a", id="2")]) == ["S-1", "S-2"]
    assert await client.send([]) == []


async def test_concurrent_sends_travel_together_and_a_bad_one_fails_alone(desk: Desk, client: Client) -> None:
    names = ["good", "bad", "good", "good"]
    sends = [client.send(Event(name, id=str(n))) for n, name in enumerate(names)]
    answers = await asyncio.gather(*sends, return_exceptions=True)
    assert [answers[0], answers[2], answers[3]] == [["S-0"], ["S-2"], ["S-3"]]
    assert str(answers[1]) == "event 0: name is bad (400)"
    assert len(desk.posts[0]) == 4


async def test_a_long_list_is_split(desk: Desk, client: Client) -> None:
    ids = await client.send([Event("a", id=str(n)) for n in range(5001)])
    assert ids == [f"S-{n}" for n in range(5001)]
    assert sorted(map(len, desk.posts)) == [1, 5000]


async def test_a_lost_reply_starts_nothing_twice(desk: Desk, client: Client) -> None:
    desk.replies = [desk.lose_reply, desk.lose_reply]
    [id] = await client.send(Event("order.placed"))
    assert len(desk.posts) == 3
    assert list(desk.stored) == [id.removeprefix("S-")]


async def test_a_busy_server_is_asked_again_when_it_says(desk: Desk, client: Client) -> None:
    desk.replies = [lambda _: refuse(503, "full", **{"Retry-After": "0"}), lambda _: refuse(500, "fault")]
    assert await client.send(Event("a", id="1")) == ["S-1"]
    assert [post[0]["id"] for post in desk.posts] == ["1", "1", "1"]


async def test_longer_than_the_patience_is_not_waited(desk: Desk, client: Client) -> None:
    desk.replies = [lambda _: refuse(503, "memory is nearly full", **{"Retry-After": "3600"})]
    with pytest.raises(Busy, match="memory is nearly full") as busy:
        await client.send(Event("a"))
    assert busy.value.retry_after == 3600
    assert len(desk.posts) == 1


async def test_a_fault_is_raised_after_the_last_try(desk: Desk, client: Client) -> None:
    desk.replies = [lambda _: PlainTextResponse("Bad Gateway", 502)] * 4
    with pytest.raises(Faulty, match=r"Bad Gateway \(502\)"):
        await client.send(Event("a"))
    assert len(desk.posts) == 4


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (401, Unauthorized), (413, TooLarge)])
async def test_a_refusal_is_raised_at_once(desk: Desk, client: Client, status: int, kind: type[Refused]) -> None:
    desk.replies = [lambda _: refuse(status, "event 0: data is not an object")]
    with pytest.raises(kind, match="event 0: data is not an object") as refusal:
        await client.send(Event("a"))
    assert type(refusal.value) is kind
    assert len(desk.posts) == 1


async def test_what_is_no_stepwell_server_is_named(desk: Desk, client: Client) -> None:
    strange: list[Response] = [
        PlainTextResponse("<h1>It works</h1>"),
        RedirectResponse("https://example.org/"),
        PlainTextResponse("Not Found", 404),
        JSONResponse({"hello": 1}),
        JSONResponse({"ids": ["1", "2"]}),
    ]
    words = ["not JSON", "example.org", "404 in words", "no 'ids'", "2 ids for 1 events"]
    for answer, said in zip(strange, words, strict=True):
        desk.replies = [partial(given, answer)]
        with pytest.raises(Unexpected, match=said) as error:
            await client.send(Event("a"))
        assert "/e/k" not in str(error.value)


async def test_nothing_listening_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with Client(url, retry=Retry(tries=2, first=0)) as client:
        with pytest.raises(Unreachable, match=f"no answer from {url}: .*stepwell dev"):
            await client.send(Event("a"))


async def test_waiting_for_a_server_that_is_not_there_gives_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with Client(url, retry=Retry(tries=2, first=0, most=0)) as client:
        with pytest.raises(Unreachable):
            await client.runs.wait("R1")


def test_the_environment_names_the_server_unless_arguments_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPWELL_URL", desk.url + "/")
    monkeypatch.setenv("STEPWELL_EVENT_KEY", "from-env")
    with Client() as client:
        client.send_sync(Event("a"))
    assert desk.requests[0].path_params["key"] == "from-env"


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'localhost:8288' is no server address"):
        Client("localhost:8288")


def test_sending_without_a_loop(desk: Desk) -> None:
    with Client(desk.url, retry=QUICK) as client:
        assert client.send_sync(Event("a", id="1")) == ["S-1"]
        assert client.send_sync([Event("a", id="2"), Event("a", id="3")]) == ["S-2", "S-3"]
        with pytest.raises(Refused):
            client.send_sync(Event("bad"))
    assert not [thread for thread in threading.enumerate() if thread.name == "stepwell-client"]


def test_a_client_that_is_dropped_leaves_no_thread(desk: Desk) -> None:
    client = Client(desk.url)
    client.send_sync(Event("a"))
    del client
    gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == "stepwell-client"]


def test_a_script_that_never_closes_its_client_ends(desk: Desk) -> None:
    script = (
        "import sys; from stepwell.client import *; c = Client(sys.argv[1]); print(c.send_sync(Event('a', id='1')))"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, desk.url], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("['S-1']\n", "", 0)


async def test_sending_synchronously_inside_a_running_loop_and_beside_it(desk: Desk, client: Client) -> None:
    assert client.send_sync(Event("a", id="1")) == ["S-1"]
    assert await asyncio.to_thread(client.send_sync, Event("a", id="2")) == ["S-2"]
    assert await client.send(Event("a", id="3")) == ["S-3"]
    assert len(desk.posts) == 3


def test_one_client_serves_one_loop_after_another(desk: Desk) -> None:
    client = Client(desk.url)

    async def send_and_close(id: str) -> list[str]:
        async with client:
            return await client.send(Event("a", id=id))

    assert asyncio.run(send_and_close("1")) == ["S-1"]
    assert asyncio.run(send_and_close("2")) == ["S-2"]


async def test_runs_are_read_as_records(desk: Desk, client: Client) -> None:
    error = {"type": "Declined", "message": "card", "traceback": None}
    step = {"id": "charge", "index": 0, "kind": "run", "status": "failed", "attempts": 2, "error": error}
    desk.runs = {
        "/api/v1/runs/R1": {"data": RUN},
        "/api/v1/runs/R1/steps": {"data": [step]},
        "/api/v1/runs/R1/cancel": {"data": RUN | {"status": "cancelled"}},
        "/api/v1/runs": {"data": [RUN, ENDED], "next": "c2"},
        "/api/v1/events/E1/runs": {"data": [ENDED]},
        "/api/v1/events/E1": {"data": {"id": "E1", "name": "a", "data": {}, "ts": 3, "runs": ["R1"]}},
    }
    run = await client.runs.get("R1")
    assert run == Run("R1", "shop/fulfil", "shop", "running", "E1")
    assert not run.ended
    [charge] = await client.runs.steps("R1")
    assert charge.error is not None
    assert charge.error.type == "Declined"
    assert (await client.runs.cancel("R1")).ended
    page = await client.runs.list(status="running", limit=2, cursor="c1")
    assert [found.status for found in page] == ["running", "completed"]
    assert (len(page), page.next) == (2, "c2")
    assert dict(desk.requests[-1].query_params) == {"status": "running", "limit": "2", "cursor": "c1"}
    assert [found.output for found in await client.events.runs("E1")] == [{"ok": True}]
    assert (await client.events.get("E1")).runs == ("R1",)
    assert {request.headers["authorization"] for request in desk.requests} == {"Bearer secret"}


async def test_an_unknown_run_is_not_found(desk: Desk, client: Client) -> None:
    error = {"code": "unknown_run", "message": "no run 'R2'", "hint": "Runs are kept for 7 days."}
    for ask in (client.runs.get, client.runs.wait, client.runs.cancel):
        desk.replies = [lambda _: refuse(404, error)]
        with pytest.raises(NotFound, match="no run 'R2'") as missing:
            await ask("R2")
        assert (missing.value.code, missing.value.hint) == ("unknown_run", "Runs are kept for 7 days.")


async def test_a_record_that_is_not_understood_is_named(desk: Desk, client: Client) -> None:
    desk.runs = {"/api/v1/runs/R1": {"data": {"id": "R1"}}}
    with pytest.raises(Unexpected, match=r"not understood \(function: "):
        await client.runs.get("R1")


async def test_waiting_returns_the_ended_run(desk: Desk, client: Client) -> None:
    desk.held = [[b" ", b" ", data(ENDED)]]
    assert (await client.runs.wait("R1")).output == {"ok": True}
    assert len(desk.requests) == 1


@pytest.mark.parametrize(
    "broken", [[b" ", ConnectionError], [b" "], [data(RUN)], [b" ", data(ENDED)[:20], ConnectionError]]
)
async def test_a_wait_that_breaks_is_made_again(desk: Desk, client: Client, broken: Sequence[Body]) -> None:
    desk.held = [broken, broken, [b" ", data(ENDED)]]
    assert (await client.runs.wait("R1")).ended
    assert len(desk.requests) == 3


async def test_a_wait_that_was_held_for_long_has_all_its_patience_again(desk: Desk) -> None:
    desk.held = [[b" "], [b" "], [b" ", data(ENDED)]]
    async with Client(desk.url, retry=Retry(tries=1, first=0, most=0)) as client:
        assert (await client.runs.wait("R1")).ended


async def test_a_wait_gives_up_on_a_server_that_never_holds(desk: Desk, client: Client) -> None:
    desk.held = [[data(RUN)]] * 4
    with pytest.raises(Unreachable, match="let go"):
        await client.runs.wait("R1")


async def test_waiting_for_an_event_means_all_of_its_runs(desk: Desk, client: Client) -> None:
    desk.held = [[data([ENDED, RUN])], [data([ENDED, ENDED])], [data([])]]
    assert len(await client.events.wait("E1")) == 2
    assert await client.events.wait("E2") == ()


async def test_a_wait_ends_at_its_time_limit(desk: Desk, client: Client) -> None:
    never = asyncio.Event()

    async def silence(_: Any) -> AsyncIterator[bytes]:
        yield b" "
        await never.wait()

    desk.replies = [lambda request: StreamingResponse(silence(request))]
    with pytest.raises(TimeoutError, match=r"run R1 has not ended within 0.05 s"):
        await client.runs.wait("R1", timeout=0.05)


@pytest.mark.parametrize("wrong", [{"name": "a", "data": {}}, [{"name": "a"}], "a", [Event("a"), "b"]])
async def test_what_is_no_event_is_refused_before_anything_is_sent(wrong: Any) -> None:
    async with Client("http://127.0.0.1:9") as client:
        with pytest.raises(TypeError, match=r'Event\("order.placed"'):
            await client.send(wrong)
        with pytest.raises((TypeError, ValueError)):
            await client.send_and_wait(wrong)
