"""Searching runs and events: what is found, how far was looked, and how a search goes on."""

from typing import Any

import httpx2
import pytest

from stepwell.client import Client
from stepwell.client.errors import Refused
from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import new_id
from stepwell.platform.reading import events as event_listing
from stepwell.platform.reading import runs as listing
from stepwell.platform.reading import where
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.pages import Page
from stepwell.platform.reading.runs import RunSummary
from stepwell.platform.reading.where import where_of_event, where_of_run
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function

DECLINED: dict[str, Any] = {"type": "CardDeclined", "message": "no money", "traceback": []}
COSTLY = "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, event.data.xs.all(x, x >= 0)))"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end by their numbers, however slow the machine is."""
    monkeypatch.setattr(where, "SECONDS", 60.0)


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    return desk


async def orders(desk: Desk, count: int) -> list[str]:
    """Runs of orders o-0 to o-(count - 1), oldest first: of each three one is declined, and the others have a total."""
    runs: list[str] = []
    for index in range(count):
        runs.append(await desk.start("order.placed", {"id": f"o-{index}"}))
        [lease] = await desk.lease("shop/fulfil")
        if index % 3 == 0:
            await desk.finish(lease, "failed", DECLINED)
        else:
            await desk.finish(lease, body={"total": index})
    return runs


async def page(desk: Desk, text: str | None = None, cursor: str | None = None, **more: Any) -> Page[RunSummary]:
    expression = where_of_run(text) if text else None
    limit = more.pop("limit", 100)
    return await desk.installation.history.runs(RunFilter(where=expression, **more), cursor=cursor, limit=limit)


async def found(desk: Desk, text: str | None = None, **more: Any) -> list[str]:
    """Ids of all that are found, page by page; what was searched has to add up."""
    ids: list[str] = []
    cursor, searched = None, 0
    while True:
        part = await page(desk, text, cursor, **more)
        ids += [summary.run.id for summary in part.items]
        searched += part.searched
        cursor = part.next
        if cursor is None:
            assert searched == part.total
            return ids


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('event.data.id == "o-4"', [4]),
        ('error.type == "CardDeclined"', [6, 3, 0]),
        ('error.message.startsWith("no")', [6, 3, 0]),
        ("output.total > 3", [5, 4]),
        ('run.status == "failed" && event.data.id != "o-3"', [6, 0]),
        ("output == null", [6, 3, 0]),
        ("error == null", [5, 4, 2, 1]),
        ('run.function == "shop/fulfil" && run.attempt == 0 && run.app == "shop"', [6, 5, 4, 3, 2, 1, 0]),
        ("run.started_at >= run.created_at && run.ended_at >= run.started_at && output.total == 1", [1]),
        ("1 / output.total > 0", [1]),
        ('"yes"', []),
    ],
)
async def test_runs_are_found_by_their_event_output_and_error(desk: Desk, text: str, expected: list[int]) -> None:
    runs = await orders(desk, 7)
    assert await found(desk, text) == [runs[index] for index in expected]


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_search_that_is_continued_finds_each_once(desk: Desk, limit: int) -> None:
    runs = await orders(desk, 7)
    assert await found(desk, 'error.type == "CardDeclined"', limit=limit) == [runs[6], runs[3], runs[0]]


async def test_a_page_says_how_far_was_searched(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_EXAMINED", 4)
    monkeypatch.setattr(where, "AT_ONCE", 2)
    runs = await orders(desk, 10)
    text = 'event.data.id == "o-1"'
    first = await page(desk, text)
    assert (first.items, first.next, first.searched, first.total) == ((), runs[6], 4, 10)
    assert await found(desk, text) == [runs[1]]
    full = await page(desk, "output.total > 0", limit=1)
    assert ([one.run.id for one in full.items], full.next, full.searched) == ([runs[8]], runs[8], 2)


async def test_a_search_that_takes_long_is_cut_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "SECONDS", 0.0)
    runs = await orders(desk, 4)
    first = await page(desk, "output.total > 0")
    assert (first.searched, first.next) == (1, runs[3])
    assert await found(desk, "output.total > 0") == [runs[2], runs[1]]


async def test_a_list_of_all_says_how_many_there_are(desk: Desk) -> None:
    runs = await orders(desk, 5)
    first = await page(desk, limit=2)
    assert (first.searched, first.total) == (2, 5)
    last = await page(desk, cursor=first.next, limit=3)
    assert (last.searched, last.total, last.next) == (3, 5, None)
    assert (await page(desk, after=desk.clock.now(), limit=3)).total == 1
    assert (await page(desk, status="failed")).total == 2
    assert (await page(desk, before=0)).total == 0
    assert await found(desk) == runs[::-1]


async def test_what_needs_too_many_steps_is_counted_once(desk: Desk) -> None:
    runs = [await desk.start("order.placed", {"xs": list(range(size))}) for size in (5, 5_000, 5, 5_000, 5)]
    whole = await page(desk, COSTLY)
    assert [one.run.id for one in whole.items] == [runs[4], runs[2], runs[0]]
    assert (whole.searched, whole.undecided) == (5, 2)
    part = await page(desk, COSTLY, limit=2)
    rest = await page(desk, COSTLY, cursor=part.next, limit=2)
    assert (part.undecided, rest.undecided) == (1, 1)
    assert (part.searched, rest.searched) == (3, 2)


async def test_only_what_is_asked_for_is_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await orders(desk, 4)
    read: list[tuple[Any, ...]] = []
    plain = Partition.read

    async def noted(self: Partition, *command: Any) -> Any:
        read.append(command)
        return await plain(self, *command)

    monkeypatch.setattr(Partition, "read", noted)
    await page(desk, 'error.type == "Nothing"')
    assert {command[0] for command in read} == {"SMEMBERS", "ZREVRANGEBYLEX", "ZLEXCOUNT", "HMGET", "HGET"}
    assert [command[2] for command in read if command[0] == "HGET"] == ["err"] * 2
    read.clear()
    await page(desk, "run.steps > 1")
    assert {"GET", "HGET"}.isdisjoint(command[0] for command in read)
    await page(desk, "event.ts == 1")
    assert "GET" in {command[0] for command in read}


async def test_runs_are_found_by_what_their_ids_begin_with(desk: Desk) -> None:
    runs = await orders(desk, 5)
    assert await found(desk, id=runs[2]) == [runs[2]]
    assert await found(desk, id=runs[2][:-1]) == [runs[2]]
    assert await found(desk, id=runs[2][:10]) == [runs[2]]
    assert await found(desk, id=runs[2][:4]) == runs[::-1]
    assert await found(desk, "output.total > 0", id=runs[2][:4], after=desk.clock.now() - 1) == [runs[4]]
    assert await found(desk, id=runs[2][:10], before=desk.clock.now() - 60_000) == []
    assert (await page(desk, id="7")).total == 0


async def test_runs_are_found_by_any_of_their_events(desk: Desk) -> None:
    await desk.register(
        function("fulfil"), function("count"), function("bundle", "part", batch={"max_size": 2, "timeout": 9_000})
    )
    event = await desk.send("order.placed")
    record = await desk.installation.history.event(event)
    assert record
    both = sorted(record.runs, reverse=True)
    assert len(both) == 2
    assert await found(desk, event_id=event) == both
    assert await found(desk, event_id=event, limit=1) == both
    assert await found(desk, event_id=event, function="shop/count") == [id for id in both if id in await of_count(desk)]
    assert await found(desk, event_id=event, before=0) == []
    parts = [await desk.send("part") for _ in range(2)]
    [batch] = await found(desk, event_id=parts[0])
    assert await found(desk, event_id=parts[1]) == [batch]
    assert await found(desk, event_id=new_id(desk.clock.now())) == await found(desk, event_id="nothing") == []


async def of_count(desk: Desk) -> list[str]:
    return await found(desk, function="shop/count")


async def test_runs_of_an_event_are_found_wherever_they_live() -> None:
    async with memory_store(partitions=4) as store:
        desk = Desk.over(store)
        functions = [function(f"f{index}", concurrency=[{"limit": 1}]) for index in range(6)]
        await desk.register(*functions)
        event = await desk.send("order.placed")
        record = await desk.installation.history.event(event)
        assert record
        for run in await found(desk):
            assert run in await found(desk, event_id=event)
        assert await found(desk, event_id=event) == await found(desk)


async def test_events_are_found_by_their_data(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = [await desk.send("a" if index % 2 else "b", {"id": f"o-{index}"}) for index in range(8)]
    history = desk.installation.history
    third = await history.events(where=where_of_event('event.data.id == "o-3"'))
    assert [event.id for event in third.items] == [sent[3]]
    assert (third.searched, third.total, third.next) == (8, 8, None)
    assert (await history.events("b", where=where_of_event('event.data.id == "o-3"'))).items == ()
    monkeypatch.setattr(event_listing, "MOST_EXAMINED", 4)
    monkeypatch.setattr(event_listing, "NAMES_AT_ONCE", 2)
    first = await history.events(where=where_of_event('event.data.id == "o-1"'))
    assert (first.items, first.searched, first.total) == ((), 4, 8)
    second = await history.events(where=where_of_event('event.data.id == "o-1"'), cursor=first.next)
    assert [event.id for event in second.items] == [sent[1]]
    assert second.searched == 4


async def test_a_search_of_events_that_takes_long_is_cut_and_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, "SECONDS", 0.0)
    sent = [await desk.send("a", {"n": index}) for index in range(20)]
    cursor, ids, pages, searched = None, list[str](), 0, 0
    while pages == 0 or cursor is not None:
        part = await desk.installation.history.events(where=where_of_event("event.data.n % 2 == 0"), cursor=cursor)
        ids += [event.id for event in part.items]
        cursor, pages, searched = part.next, pages + 1, searched + part.searched
    assert ids == sent[::-1][1::2]
    assert searched == 20
    assert pages > 1


async def problem(client: httpx2.AsyncClient, query: str) -> dict[str, str]:
    answer = await client.get(f"/api/v1/{query}")
    assert answer.status_code == 400, answer.text
    error: dict[str, str] = answer.json()["error"]
    return error


async def test_over_http_a_mistake_is_told_with_its_column(desk: Desk) -> None:
    async with desk.client() as client:
        error = await problem(client, "runs?q=error.type+%3D+1")
        assert error["code"] == "invalid_expression"
        assert error["message"].startswith("q, column 12: ")
        error = await problem(client, "runs?q=steps.a")
        assert error["message"].startswith("q, column 1: ")
        assert "event, output, error and run" in error["hint"]
        assert (await problem(client, "events?q=output.x"))["message"].startswith("q, column 1: ")
        assert "event" in (await problem(client, "events?q="))["hint"]
        assert (await problem(client, f"runs?q={'x' * 5_000}"))["code"] == "invalid_parameter"
        assert (await problem(client, "runs?id=uvw"))["code"] == "invalid_parameter"
        assert (await problem(client, "runs?cursor=x&q=run.steps>1"))["code"] == "bad_cursor"


async def test_over_http_and_by_the_client(desk: Desk) -> None:
    runs = await orders(desk, 7)
    async with desk.serving() as server, Client(server.url) as client, httpx2.AsyncClient(base_url=server.url) as http:
        told = (await http.get("/api/v1/runs", params={"q": "output.total > 3"})).json()
        assert [run["id"] for run in told["data"]] == [runs[5], runs[4]]
        assert {name: told[name] for name in ("next", "searched", "total", "undecided")} == {
            "next": None, "searched": 7, "total": 7, "undecided": 0,
        }  # fmt: skip
        page = await client.runs.list(where="output.total > 3", limit=1)
        assert ([run.id for run in page], page.next, page.searched, page.total) == ([runs[5]], runs[5], 2, 7)
        assert [run.id for run in await client.runs.list(id=runs[3].lower())] == [runs[3]]
        event = (await client.runs.get(runs[2])).event_id
        assert event
        assert [run.id for run in await client.runs.list(event_id=event.lower())] == [runs[2]]
        told = (await http.get("/api/v1/events", params={"q": 'event.data.id == "o-2"'})).json()
        assert [one["id"] for one in told["data"]] == [event]
        assert (told["searched"], told["total"]) == (7, 7)
        with pytest.raises(Refused, match="column 12"):
            await client.runs.list(where="error.type = 1")
