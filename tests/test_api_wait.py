"""Waiting for runs to end: responses held open, answered when it happens, by whichever process hears of it."""

import asyncio
from typing import Any

import httpx2
import pytest

from stepwell.client import Client, Event
from stepwell.platform.api.endings import Endings
from stepwell.platform.api.held import Held
from stepwell.platform.api.models.answer import Item
from stepwell.platform.api.problems import Problem
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.history import History, RunView
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Address, Desk, eventually, function
from tests.redis_servers import Server


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("fulfil"), function("mail"))
    return desk


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids that somebody waits for, as they begin to."""
    seen: list[str] = []
    before = Endings.await_end

    async def await_end(self: Endings, id: str, look: Any) -> Any:
        async def looked() -> Any:
            found = await look()
            seen.append(id)
            return found

        return await before(self, id, looked)

    monkeypatch.setattr(Endings, "await_end", await_end)
    return seen


async def queued(desk: Desk, count: int) -> None:
    """Returns when so many runs wait for a worker."""
    async with asyncio.timeout(10):
        while (await desk.installation.history.counts()).unfinished < count:  # noqa: ASYNC110  # what is waited for happens in Redis
            await asyncio.sleep(0.001)


async def test_one_request_sends_an_event_and_waits_for_its_runs(desk: Desk) -> None:
    async with desk.serving() as server, Client(server.url) as client:
        waiting = asyncio.create_task(client.send_and_wait(Event("order.placed", {"n": 1}, id="mine")))
        await queued(desk, 2)
        await desk.finish_all("shop/fulfil", body={"ok": True})
        await desk.finish_all("shop/mail", body=None)
        runs = await waiting
        assert {run.function: run.output for run in runs} == {"shop/fulfil": {"ok": True}, "shop/mail": None}
        # Sent again, as after a lost answer, it starts nothing and gives the same runs.
        assert await client.send_and_wait(Event("order.placed", {"n": 1}, id="mine")) == runs
        assert await client.send_and_wait(Event("nobody.listens")) == ()


@pytest.mark.parametrize("size", [1, 1_500], ids=["told", "read"])
async def test_what_is_told_of_an_end_and_what_is_read_of_it_are_the_same(desk: Desk, size: int) -> None:
    async with desk.serving() as server, Client(server.url) as client:
        waiting = asyncio.create_task(client.send_and_wait(Event("order.placed", {"n": 1}, id="mine")))
        await queued(desk, 2)
        await desk.finish_all("shop/fulfil", body={"ok": "é\n" * size})
        await desk.finish_all("shop/mail", status="failed", body={"type": "Full", "message": "no " * size})
        runs = {run.function: run for run in await waiting}
        assert (runs["shop/fulfil"].output, runs["shop/fulfil"].status) == ({"ok": "é\n" * size}, "completed")
        error = runs["shop/mail"].error
        assert error
        assert (error.type, error.message, runs["shop/mail"].status) == ("Full", "no " * size, "failed")
        assert list(runs.values()) == list(await client.events.runs(runs["shop/mail"].event_id or ""))


@pytest.mark.parametrize("body", [b"[]", b'[{"name":"a"},{"name":"b"}]', b'{"name":1}', b"no"])
async def test_only_one_sound_event_can_be_waited_for(desk: Desk, body: bytes) -> None:
    async with desk.serving() as server, httpx2.AsyncClient(base_url=server.url) as http:
        answer = await http.post("/api/v1/events?wait=true", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_event")
        several = await http.post("/api/v1/events", content=b'[{"name":"a"},{"name":"b"}]')
        assert (several.status_code, len(several.json()["data"]["ids"])) == (200, 2)


async def test_the_client_gets_the_runs_of_its_event_when_all_have_ended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(monkeypatch)
    async with desk.serving() as server, Client(server.url) as client:
        event = await desk.send("order.placed")
        waiting = asyncio.create_task(client.events.wait(event))
        await eventually(lambda: seen)
        await desk.finish_all("shop/fulfil", body={"ok": True})
        await eventually(lambda: len(seen) > 1)
        assert not waiting.done()
        await desk.finish_all("shop/mail", status="failed", body={"type": "E", "message": "no", "traceback": []})
        runs = {run.function: run for run in await waiting}
    assert runs["shop/fulfil"].output == {"ok": True}
    error = runs["shop/mail"].error
    assert error
    assert (error.type, error.message) == ("E", "no")


async def test_the_client_gets_a_run_when_it_has_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    async with desk.serving() as server, Client(server.url) as client:
        event = await client.events.get(await desk.send("order.placed"))
        waiting = [asyncio.create_task(client.runs.wait(run)) for run in event.runs]
        await eventually(lambda: len(seen) >= 2)
        await desk.finish_all("shop/fulfil", "shop/mail", body=[1])
        assert [run.output for run in await asyncio.gather(*waiting)] == [[1], [1]]


async def test_a_cancelled_run_ends_the_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    async with desk.serving() as server, Client(server.url) as client:
        event = await client.events.get(await desk.send("order.placed"))
        waiting = asyncio.create_task(client.runs.wait(event.runs[0]))
        await eventually(lambda: seen)
        assert (await client.runs.cancel(event.runs[0])).status == "cancelled"
        assert (await waiting).status == "cancelled"


async def test_what_has_ended_already_is_answered_at_once(desk: Desk) -> None:
    event = await desk.send("order.placed")
    await desk.finish_all("shop/fulfil", "shop/mail", body=None)
    async with desk.client() as client:
        answer = await client.get(f"/api/v1/events/{event}/runs?wait=true")
        assert [run["status"] for run in answer.json()["data"]] == ["completed", "completed"]
        answer = await client.get(f"/api/v1/runs/{answer.json()['data'][0]['id']}?wait=true")
        assert answer.json()["data"]["status"] == "completed"


async def test_an_event_that_starts_nothing_is_answered_at_once(desk: Desk) -> None:
    event = await desk.send("nobody.listens")
    async with desk.client() as client:
        answer = await client.get(f"/api/v1/events/{event}/runs?wait=true")
    assert answer.json() == {"data": []}


async def test_what_does_not_exist_is_not_waited_for(desk: Desk) -> None:
    async with desk.client() as client:
        for path in ("runs/01KDVDNA0000SS5Q8MFXV5EQ69", "events/01KDVDNA0000SS5Q8MFXV5EQ69/runs"):
            answer = await client.get(f"/api/v1/{path}?wait=true")
            assert answer.status_code == 404


async def test_another_process_hears_of_it_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    other = Desk.over(desk.installation.store)
    async with desk.serving(), other.serving() as server, Client(server.url) as client:
        event = await desk.send("order.placed")
        waiting = asyncio.create_task(client.events.wait(event))
        await eventually(lambda: seen)
        await desk.finish_all("shop/fulfil", "shop/mail", body=None)
        assert len(await waiting) == 2


async def test_who_gives_up_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    endings: list[Endings] = []
    seen = watched(monkeypatch)
    before = Endings.__init__

    def remember(self: Endings) -> None:
        endings.append(self)
        before(self)

    monkeypatch.setattr(Endings, "__init__", remember)
    async with memory_store() as store:
        desk = Desk.over(store)
        await desk.register(function("fulfil"))
        async with desk.serving() as server:
            run = await desk.start("order.placed")
            _, writer = await server.connect()
            writer.write(f"GET /api/v1/runs/{run}?wait=true HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await eventually(lambda: seen)
            assert len(endings[0]) == 1
            writer.close()
            await eventually(lambda: len(endings[0]) == 0)


async def test_a_server_that_stops_lets_go_of_those_who_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    event = await desk.send("order.placed")
    async with desk.serving() as server, httpx2.AsyncClient(base_url=server.url) as client:
        waiting = asyncio.create_task(client.get(f"/api/v1/events/{event}/runs?wait=true", timeout=30))
        await eventually(lambda: seen)
        server.front.closing.set()
        answer = await waiting
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


async def test_an_end_that_nobody_heard_of_is_found_after_the_connection_broke(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watched(monkeypatch)

    def lost(*_: Any) -> None:
        """The message went down with the connection."""

    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        desk = Desk.over(store)
        await desk.register(function("fulfil"))
        async with desk.serving() as server, Client(server.url) as client:
            waiting = asyncio.create_task(client.events.wait(await desk.send("order.placed")))
            await eventually(lambda: seen)
            monkeypatch.setattr(Endings, "heard", lost)
            await desk.finish_all("shop/fulfil", body=1)
            redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            assert [run.output for run in await waiting] == [1]


class Talk:
    """The other side of an ASGI application: what was sent, and when to hang up."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.hung_up = asyncio.Event()

    async def receive(self) -> Any:
        await self.hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def text(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def test_blanks_keep_a_held_response_alive() -> None:
    talk, ended = Talk(), asyncio.Event()

    async def answer() -> Item[int]:
        await ended.wait()
        return Item[int](data=1)

    held = asyncio.create_task(Held(answer, asyncio.Event(), 0.001)(SCOPE, talk.receive, talk.send))
    await eventually(lambda: len(talk.sent) > 3)
    ended.set()
    await held
    assert talk.sent[0]["status"] == 200
    assert talk.text.lstrip() == b'{"data":1}'
    assert talk.text.startswith(b"  ")
    assert talk.sent[-1]["more_body"] is False


async def test_a_held_response_that_has_begun_ends_in_blanks_when_the_server_stops() -> None:
    talk, closing = Talk(), asyncio.Event()

    async def answer() -> Item[int]:
        await asyncio.Event().wait()
        return Item[int](data=1)

    held = asyncio.create_task(Held(answer, closing, 0.001)(SCOPE, talk.receive, talk.send))
    await eventually(lambda: talk.sent)
    closing.set()
    await held
    assert talk.text.strip() == b""
    assert talk.sent[-1]["more_body"] is False


async def test_a_held_answer_is_cancelled_when_the_other_side_hangs_up() -> None:
    talk, cancelled = Talk(), asyncio.Event()

    async def answer() -> Item[int]:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return Item[int](data=1)

    held = asyncio.create_task(Held(answer, asyncio.Event())(SCOPE, talk.receive, talk.send))
    await asyncio.sleep(0)
    talk.hung_up.set()
    await held
    assert cancelled.is_set()
    assert talk.sent == []


async def test_a_problem_found_before_anything_is_sent_has_its_status() -> None:
    async def answer() -> Item[int]:
        raise Problem(404, "not_found", "there is no such run")

    talk = Talk()
    with pytest.raises(Problem):
        await Held(answer, asyncio.Event())(SCOPE, talk.receive, talk.send)
    assert talk.sent == []


async def test_an_end_that_is_heard_before_anybody_asks_for_it_is_not_missed() -> None:
    endings = Endings()

    async def look() -> str | None:
        return "ended"

    with endings.listening("E") as news:
        endings.heard(b"R E completed")
        assert await news.until(look) == "ended"
    assert len(endings) == 0


async def test_a_look_that_fails_midway_is_taken_again() -> None:
    endings, looks = Endings(), 0

    async def look() -> str | None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise StoreUnavailable("redis", "gone")
        return "ended" if looks > 2 else None

    waiting = asyncio.create_task(endings.await_end(["R"], look))
    await eventually(lambda: looks == 1)
    endings.heard(b"R E completed")
    await eventually(lambda: looks == 2)
    endings.heard(b"Q E completed\nX R failed")
    assert await waiting == "ended"
    assert len(endings) == 0


async def test_the_first_look_may_fail() -> None:
    endings = Endings()

    async def look() -> RunView | None:
        raise StoreUnavailable("redis", "gone")

    with pytest.raises(StoreUnavailable):
        await endings.await_end(["R"], look)
    assert len(endings) == 0


async def test_nothing_is_asked_while_nothing_happens(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch)
    looks: list[str] = []
    before = History.run

    async def run(self: History, id: str) -> RunView | None:
        looks.append(id)
        return await before(self, id)

    async def ask(server: Address, id: str) -> httpx2.Response:
        async with httpx2.AsyncClient(base_url=server.url) as client:
            return await client.get(f"/api/v1/runs/{id}?wait=true", timeout=30)

    async with desk.serving() as server:
        [one, other] = [await desk.send("order.placed") for _ in range(2)]
        event, second = [await desk.installation.history.event(id) for id in (one, other)]
        assert event
        assert second
        waiting = asyncio.create_task(ask(server, event.runs[0]))
        await eventually(lambda: seen)
        monkeypatch.setattr(History, "run", run)
        await desk.installation.runs_at(second.runs[0]).cancel(second.runs[0])
        await desk.installation.runs_at(event.runs[1]).cancel(event.runs[1])
        assert looks == []
        await desk.installation.runs_at(event.runs[0]).cancel(event.runs[0])
        await waiting
    assert looks == [event.runs[0]]
