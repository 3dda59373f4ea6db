"""Logs and progress over HTTP, by the client, and on the command line."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from stepwell.client import Client
from stepwell.client.errors import NotFound
from stepwell.platform.engine.logs import Logs
from stepwell.platform.records import Lease
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function
from tests.test_api_reads import NOBODY, assert_problem
from tests.test_api_stream import listening


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    return desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def leased(desk: Desk) -> Lease:
    await desk.send("order.placed")
    [lease] = await desk.lease("shop/fulfil")
    return lease


async def say(desk: Desk, lease: Lease, seq: int, *texts: str, step: str = "", value: float | None = None) -> None:
    """Does what a worker does for code that speaks; 5 lines are kept."""
    line = b'{"at":5,"level":"info","step":"%s","attempt":1,"message":"%s","fields":{"n":1}}'
    lines = b"\n".join([line % (step.encode(), text.encode()) for text in texts])
    progress = b""
    if value is not None:
        progress = b'{"at":6,"value":%.1f,"text":"so far","step":"%s","attempt":2}' % (value, step.encode())
    logs = Logs(desk.installation.partitions[0], 5, 1 << 16)
    await logs.keep(lease.run, lease.token, seq, lines, step=step, progress=progress)


async def read(client: httpx2.AsyncClient, run: str, **query: int) -> Any:
    answer = await client.get(f"/api/v1/runs/{run}/logs", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_lines_are_read_page_by_page(desk: Desk, client: httpx2.AsyncClient) -> None:
    lease = await leased(desk)
    assert await read(client, lease.run) == {"data": [], "next": None, "dropped": 0}
    await say(desk, lease, 1, *"abcd", step="charge")
    first = await read(client, lease.run, limit=3)
    assert [line["message"] for line in first["data"]] == ["a", "b", "c"]
    assert (first["next"], first["dropped"]) == ("3", 0)
    rest = await read(client, lease.run, after=3)
    assert rest == {
        "data": [
            {"number": 4, "at": 5, "level": "info", "message": "d", "fields": {"n": 1}, "step": "charge", "attempt": 1}
        ],
        "next": None,
        "dropped": 0,
    }
    await say(desk, lease, 2, *"efgh")
    behind = await read(client, lease.run, after=1, limit=2)
    assert [line["number"] for line in behind["data"]] == [4, 5]
    assert (behind["next"], behind["dropped"]) == ("5", 3)


async def test_what_cannot_be_read_is_said(client: httpx2.AsyncClient) -> None:
    assert_problem(await client.get(f"/api/v1/runs/{NOBODY}/logs"), 404, "not_found")
    for query in ("after=-1", "limit=0", "limit=1001", "after=x", "level=info"):
        assert_problem(await client.get(f"/api/v1/runs/{NOBODY}/logs?{query}"), 400, "invalid_parameter")


async def test_progress_is_with_its_step_and_with_a_run_that_has_not_ended(
    desk: Desk, client: httpx2.AsyncClient
) -> None:
    lease = await leased(desk)
    path = f"/api/v1/runs/{lease.run}"
    assert (await client.get(path)).json()["data"]["progress"] is None
    await desk.owner().checkpoint(lease.run, lease.token, 1, "charge", "run", ok=True, attempts=1, took=2, payload=b"1")
    await say(desk, lease, 1, step="charge", value=0.4)
    expected = {"at": 6, "value": 0.4, "text": "so far", "step": "charge", "attempt": 2}
    assert (await client.get(path)).json()["data"]["progress"] == expected
    await desk.finish(lease)
    assert (await client.get(path)).json()["data"]["progress"] is None
    [step] = (await client.get(f"{path}/steps")).json()["data"]
    assert step["progress"] == expected


async def test_our_client_reads_them(desk: Desk) -> None:
    lease = await leased(desk)
    await say(desk, lease, 1, "a", "b", value=0.5)
    async with desk.serving() as server, Client(server.url) as client:
        page = await client.runs.logs(lease.run, limit=1)
        assert [line.message for line in page] == ["a"]
        assert page.next
        [line] = await client.runs.logs(lease.run, after=page.next)
        assert (line.number, line.message, line.fields) == (2, "b", {"n": 1})
        run = await client.runs.get(lease.run)
        assert run.progress
        assert (run.progress.value, run.progress.text) == (0.5, "so far")
        with pytest.raises(NotFound):
            await client.runs.logs(NOBODY)


async def test_who_watches_a_run_is_told_that_it_has_spoken(desk: Desk) -> None:
    lease, other = await leased(desk), await leased(desk)
    async with (
        desk.serving() as server,
        listening(server.url, run=lease.run) as one,
        listening(server.url) as all_of_them,
    ):
        assert await anext(one) == await anext(all_of_them) == ("refetch", {})
        await say(desk, other, 1, "a")
        await say(desk, lease, 1, "a")
        assert await anext(one) == ("said", {"id": lease.run})
        await say(desk, lease, 2, value=0.5)
        assert await anext(one) == ("said", {"id": lease.run})
        await desk.finish(lease)
        assert await anext(one) == await anext(all_of_them) == ("runs", [{"id": lease.run, "status": "completed"}])


async def test_who_was_cut_off_is_told_of_what_the_run_may_have_said_meanwhile(desk: Desk) -> None:
    lease, ids = await leased(desk), list[str]()
    async with desk.serving() as server:
        async with listening(server.url, run=lease.run, ids=ids) as heard:
            assert await anext(heard) == ("refetch", {})
        await say(desk, lease, 1, "a")
        async with listening(server.url, run=lease.run, after=ids[-1]) as heard:
            assert await anext(heard) == ("said", {"id": lease.run})
