"""Watching runs live: changes come as they happen, and whoever may have missed some is told to look anew."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import orjson
import pytest

from stepwell.platform.api.feed import BACKLOG, REMEMBERED, Feed, Recent, Watcher
from stepwell.platform.api.stream import Functions, Stream, StreamQuery
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import FEED
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, eventually, function
from tests.redis_servers import Server


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("fulfil"), function("mail", "user.joined"))
    return desk


@asynccontextmanager
async def listening(
    url: str, after: str = "", ids: list[str] | None = None, **query: str
) -> AsyncGenerator[AsyncIterator[tuple[str, Any]]]:
    """What a browser's EventSource would hear, as name and data, behind the id `after`; their own go into `ids`."""

    async def heard(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
        name = ""
        async for line in lines:
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "id" and ids is not None:
                ids.append(value)
            elif field == "data":
                yield name, orjson.loads(value)

    async with (
        httpx2.AsyncClient(base_url=url, timeout=10) as client,
        client.stream("GET", "/api/v1/stream", params=query, headers={"Last-Event-ID": after}) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        yield heard(response.aiter_lines())


async def test_every_change_of_a_run_is_told(desk: Desk) -> None:
    async with desk.serving() as server, listening(server.url) as heard:
        assert await anext(heard) == ("refetch", {})
        run = await desk.start("order.placed")
        assert await anext(heard) == ("runs", [{"id": run, "status": "queued"}])
        await desk.finish_all("shop/fulfil", body=1)
        told: list[Any] = []
        while not told or told[-1]["status"] != "completed":
            name, runs = await anext(heard)
            assert name == "runs"
            told += runs
        assert {change["id"] for change in told} == {run}


async def test_only_what_was_asked_for_is_told(desk: Desk) -> None:
    async with desk.serving() as server:
        first = await desk.start("order.placed")
        async with (
            listening(server.url, function="shop/mail") as mails,
            listening(server.url, run=first) as one,
        ):
            assert await anext(mails) == await anext(one) == ("refetch", {})
            await desk.start("order.placed")
            mail = await desk.start("user.joined")
            await desk.installation.runs_at(first).cancel(first)
            assert await anext(mails) == ("runs", [{"id": mail, "status": "queued"}])
            assert await anext(one) == ("runs", [{"id": first, "status": "cancelled"}])


async def test_who_watches_is_told_to_look_anew_when_something_may_be_missed(redis_server: Server) -> None:
    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        desk = Desk.over(store)
        async with desk.serving() as server, listening(server.url) as heard:
            assert await anext(heard) == ("refetch", {})
            redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub")
            assert await anext(heard) == ("refetch", {})


async def test_the_subscription_is_there_only_while_somebody_watches_or_may_come_back(
    redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepwell.platform.server.LINGER", 0.1)

    def subscribed() -> int:
        count: int = redis_server.ask("PUBSUB", "NUMSUB", FEED)[1]
        return count

    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        desk = Desk.over(store)
        async with desk.serving() as server:
            assert subscribed() == 0
            async with listening(server.url) as one, listening(server.url) as other:
                assert await anext(one) == await anext(other) == ("refetch", {})
                assert subscribed() == 1
            await eventually(lambda: subscribed() == 0)
            async with listening(server.url) as again:
                assert await anext(again) == ("refetch", {})


async def test_who_was_cut_off_goes_on_where_it_was(desk: Desk) -> None:
    async with desk.serving() as server:
        ids = list[str]()
        async with listening(server.url, ids=ids) as heard:
            assert await anext(heard) == ("refetch", {})
            first = await desk.start("order.placed")
            assert await anext(heard) == ("runs", [{"id": first, "status": "queued"}])
        missed = [await desk.start("order.placed") for _ in range(3)]
        mail = await desk.start("user.joined")
        assert len(set(ids)) == 2
        async with listening(server.url, after=ids[-1]) as heard:
            told = dict[str, str]()
            while len(told) < 4:
                name, runs = await anext(heard)
                assert name == "runs"
                told |= {run["id"]: run["status"] for run in runs}
            assert told == dict.fromkeys([*missed, mail], "queued")
        async with listening(server.url, after=ids[0], function="shop/mail") as heard:
            assert await anext(heard) == ("runs", [{"id": mail, "status": "queued"}])


@pytest.mark.parametrize("after", ["0123456789abcdef-0", "x", "-", "0123456789abcdef-" + "9" * 40])
async def test_who_comes_back_with_what_nobody_knows_looks_anew(desk: Desk, after: str) -> None:
    async with desk.serving() as server, listening(server.url) as kept:
        assert await anext(kept) == ("refetch", {})
        async with listening(server.url, after=after) as heard:
            assert await anext(heard) == ("refetch", {})


async def test_what_was_missed_and_is_not_remembered_any_more_is_looked_for_anew() -> None:
    recent = Recent()
    recent.add([("A", "queued")])
    behind = recent.position
    for index in range(REMEMBERED):
        recent.add([(f"R{index}", "queued")])
    assert len(recent.since(behind) or ()) == REMEMBERED
    recent.add([])
    assert recent.since(behind) is None
    assert recent.since(recent.position) == []
    last = recent.position
    recent.add(None)
    assert recent.since(last) is None, "there is a gap behind it"


async def test_only_those_of_a_status_are_told(desk: Desk) -> None:
    async with desk.serving() as server, listening(server.url, status="cancelled") as heard:
        assert await anext(heard) == ("refetch", {})
        run = await desk.start("order.placed")
        await desk.installation.runs_at(run).cancel(run)
        assert await anext(heard) == ("runs", [{"id": run, "status": "cancelled"}])


@pytest.mark.slow
async def test_five_hundred_watch_at_once_and_hear_the_same(desk: Desk) -> None:
    async with desk.serving() as server, AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(listening(server.url)) for _ in range(500)]
        assert [await anext(heard) for heard in streams] == [("refetch", {})] * 500
        run = await desk.start("order.placed")
        assert [await anext(heard) for heard in streams] == [("runs", [{"id": run, "status": "queued"}])] * 500


async def test_a_server_that_stops_ends_the_stream(desk: Desk) -> None:
    async with desk.serving() as server, listening(server.url) as heard:
        assert await anext(heard) == ("refetch", {})
        server.front.closing.set()
        assert [event async for event in heard] == []


async def test_a_watcher_gets_the_latest_status_of_each_run() -> None:
    watcher = Watcher()
    watcher.offer([("A", "queued"), ("B", "queued")])
    watcher.offer([("A", "running")])
    assert await watcher.next() == {"A": "running", "B": "queued"}
    watcher.offer([("A", "completed")])
    watcher.offer(None)
    assert await watcher.next() is None


async def test_a_watcher_that_is_too_slow_is_dropped_and_harms_nobody(store: Store) -> None:
    desk = Desk.over(store)
    feed = Feed(store)
    sent: list[Any] = []
    forever = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if message.get("body"):
            await forever.wait()

    async def receive() -> Any:
        await forever.wait()

    functions = Functions(desk.installation.history)
    stream = Stream(feed, functions, StreamQuery(), asyncio.Event())
    slow = asyncio.create_task(stream({"type": "http"}, receive, send))
    async with feed.watch() as quick:
        await eventually(lambda: len(sent) == 2)
        assert await quick.next() is None
        for index in range(BACKLOG + 2):
            await store.call(0, "PUBLISH", FEED, f"R{index} queued")
            await quick.next()
        await slow
        assert not quick.lost.is_set()
        assert len(feed) == 1
    assert len(feed) == 0


async def test_silence_is_broken_by_comments(store: Store) -> None:
    desk = Desk.over(store)
    sent: list[bytes] = []
    hung_up = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> Any:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    functions = Functions(desk.installation.history)
    stream = Stream(Feed(store), functions, StreamQuery(), asyncio.Event(), silence=0.001)
    task = asyncio.create_task(stream({"type": "http"}, receive, send))
    await eventually(lambda: sum(body.startswith(b":") for body in sent) > 2)
    hung_up.set()
    await task


async def test_a_feed_that_fails_ends_its_streams(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    feed = Feed(store)
    monkeypatch.setattr(Store, "subscribe", broken)
    async with feed.watch() as watcher, asyncio.timeout(10):
        await watcher.lost.wait()
