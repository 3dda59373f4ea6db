"""Bulk jobs over HTTP, by our client and by the command line."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from stepwell.platform.bulk.acting import Acting
from stepwell.platform.bulk.carrying import Carrying
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function

DECLINED: dict[str, Any] = {"type": "CardDeclined", "message": "no money", "traceback": []}
BULK = "/api/v1/bulk"
NOBODY = "01KDVDNA0000SS5Q8MFXV5EQ69"
KEYS = tuple(map(SecretStr, ("viewer:read:see", "oncall:operate:act", "blind:operate+no-payloads:blind")))


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    async with memory_store() as store:
        desk = Desk.over(store, Settings(event_keys=(SecretStr("e"),), api_keys=KEYS))
        await desk.register(function("charge"))
        yield desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def failed(desk: Desk, count: int, error: Any = DECLINED) -> list[str]:
    """Runs that have failed, oldest first."""
    runs = [await desk.start("order.placed", {"id": number}) for number in range(count)]
    await desk.finish_all("shop/charge", status="failed", body=error)
    desk.clock.advance(1)
    return runs


async def carry_on(desk: Desk) -> None:
    """What a scheduler does with the jobs there are."""
    there = desk.installation
    acting = Acting(there.partitions, there.runs, there.steering)
    carrying = Carrying(there.bulk, there.history, acting, desk.clock, lambda _: asyncio.sleep(0))
    for id in await there.bulk.open():
        await carrying.carry_on(id)


async def get(client: httpx2.AsyncClient, path: str = "", **query: Any) -> Any:
    """The `data` at a path."""
    answer = await client.get(f"{BULK}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def post(client: httpx2.AsyncClient, body: dict[str, Any], path: str = "") -> dict[str, Any]:
    """The job that is answered."""
    answer = await client.post(f"{BULK}{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found


# Over HTTP.


async def test_failed_runs_have_one_error_and_are_done_again(client: httpx2.AsyncClient, desk: Desk) -> None:
    runs = await failed(desk, 5)
    order = {"action": "rerun", "status": "failed", "function": "shop/charge"}
    seen = await get(client, "/preview", **order)
    assert (seen["count"], seen["exact"], seen["failed"]) == (5, True, 5)
    assert seen["errors"] == [
        {"type": "CardDeclined", "message": "no money", "count": 5, "messages": 1, "example": runs[-1]}
    ]
    assert [run["id"] for run in seen["examples"]] == runs[::-1]
    assert seen["filter"]["before"] == desk.clock.now()
    job = await post(client, order | {"before": seen["filter"]["before"], "rate": 50})
    assert (job["state"], job["matched"], job["rate"], job["by"], job["ended_at"]) == ("running", 0, 50, "", None)
    await carry_on(desk)
    job = await get(client, f"/{job['id']}")
    assert (job["state"], job["matched"], job["done"], job["refused"], job["left"]) == ("done", 5, 5, 0, 0)
    assert (job["searched"], job["total"], job["ended_at"]) == (5, 5, desk.clock.now())
    made = await get(client, f"/{job['id']}/runs")
    found = [(await client.get(f"/api/v1/runs/{run}")).json()["data"]["rerun_of"] for run in made]
    assert sorted(found) == runs


async def test_what_was_refused_says_why(client: httpx2.AsyncClient, desk: Desk) -> None:
    [run] = await failed(desk, 1)
    job = await post(client, {"action": "rerun", "status": "failed", "from_failed": True})
    await carry_on(desk)
    job = await get(client, f"/{job['id']}")
    assert job["refusals"] == [{"reason": "no step of it has failed", "count": 1, "examples": [run]}]
    assert (job["refused"], job["done"], job["from_failed"]) == (1, 0, True)


async def test_jobs_are_listed_and_stopped(client: httpx2.AsyncClient, desk: Desk) -> None:
    await failed(desk, 3)
    ids: list[str] = []
    for _ in range(3):
        desk.clock.advance(1)
        ids.append((await post(client, {"action": "rerun", "status": "failed"}))["id"])
    first = (await client.get(BULK, params={"limit": 2})).json()
    rest = (await client.get(BULK, params={"limit": 2, "cursor": first["next"]})).json()
    assert [job["id"] for job in first["data"] + rest["data"]] == ids[::-1]
    assert rest["next"] is None
    for _ in range(2):
        assert (await post(client, {}, f"/{ids[0]}/stop"))["state"] == "stopping"
    await carry_on(desk)
    stopped = await post(client, {}, f"/{ids[0]}/stop")
    assert (stopped["state"], stopped["done"]) == ("stopped", 0)


async def test_the_same_request_makes_one_job(client: httpx2.AsyncClient, desk: Desk) -> None:
    order = {"action": "rerun", "status": "failed", "request": "mine"}
    assert (await post(client, order))["id"] == (await post(client, order))["id"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"action": "cancel"}, 422, 'this would cancel all runs Give one, or say so with "all": true'),
        ({"action": "cancel", "before": 7}, 422, "this would cancel all runs"),
        ({"action": "cancel", "status": "failed"}, 422, "have not ended, not for those that are failed"),
        ({"action": "rerun", "status": "failed", "rate": 1_000}, 422, "1 to 500 runs per second, not 1000"),
        ({"action": "rerun", "q": "error.type =="}, 400, "q, column"),
        ({"action": "delete", "status": "failed"}, 422, "action: Input should be"),
        ({"status": "failed"}, 422, "action: Field required"),
        ({"action": "rerun", "statuss": "failed"}, 422, "statuss: Extra inputs are not permitted"),
        ({"action": "rerun", "status": "failed", "request": ""}, 422, "a request has 1 to 128 characters, not 0"),
    ],
)
async def test_what_cannot_be_meant_so_is_refused(
    client: httpx2.AsyncClient, body: dict[str, Any], status: int, said: str
) -> None:
    answer = await client.post(BULK, json=body)
    problem = answer.json()["error"]
    assert (answer.status_code, said in f"{problem['message']} {problem['hint']}") == (status, True), problem
    assert await get(client) == []


async def test_more_than_ten_at_once_are_refused(client: httpx2.AsyncClient) -> None:
    for _ in range(10):
        await post(client, {"action": "cancel", "all": True})
    answer = await client.post(BULK, json={"action": "cancel", "all": True})
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "10 bulk jobs go on already")


@pytest.mark.parametrize("path", [f"/{NOBODY}", f"/{NOBODY}/runs", "/nonsense", "/nonsense/runs"])
async def test_a_job_that_is_none_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(f"{BULK}{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    stop = await client.post(f"{BULK}{path.removesuffix('/runs')}/stop")
    assert stop.status_code == 404


async def test_a_cursor_that_is_none_and_a_preview_of_what_cannot_be_are_refused(client: httpx2.AsyncClient) -> None:
    assert (await client.get(BULK, params={"cursor": "x"})).json()["error"]["code"] == "bad_cursor"
    answer = await client.get(f"{BULK}/preview", params={"action": "cancel", "status": "failed"})
    assert answer.status_code == 422
    answer = await client.get(f"{BULK}/preview", params={"action": "rerun", "q": "1 +"})
    assert answer.json()["error"]["code"] == "invalid_expression"


async def test_who_may_not_see_payloads_may_not_ask_by_them(desk: Desk) -> None:
    body = {"action": "rerun", "q": 'event.data.card == "4711"'}
    async with desk.client(dev=False) as client:

        async def by(key: str, method: str, path: str = BULK, **more: Any) -> httpx2.Response:
            return await client.request(method, path, headers={"Authorization": f"Bearer {key}"}, **more)

        assert (await by("see", "POST", json=body)).status_code == 403
        assert (await by("blind", "POST", json=body)).json()["error"]["code"] == "hidden"
        assert (await by("blind", "GET", f"{BULK}/preview", params=body)).json()["error"]["code"] == "hidden"
        job = (await by("act", "POST", json=body)).json()["data"]
        assert (job["by"], job["filter"]["q"]) == ("oncall", body["q"])
        shown = (await by("blind", "GET")).json()["data"][0]["filter"]
        assert (shown["q"], shown["hidden"]) == (None, True)
        assert (await by("see", "POST", f"{BULK}/{job['id']}/stop")).status_code == 403
        assert (await by("blind", "POST", f"{BULK}/{job['id']}/stop")).status_code == 200
