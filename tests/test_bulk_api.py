"""Bulk jobs over HTTP, by our client and by the command line."""

import asyncio
import io
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import SecretStr

from stepwell.client import BulkRefusal, Client, ErrorGroup
from stepwell.client.errors import NotFound, Refused
from stepwell.platform.bulk import carrying as pacing
from stepwell.platform.bulk.acting import Acting
from stepwell.platform.bulk.carrying import Carrying
from stepwell.platform.bulk.jobs import Note
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.cli import bulk_job, main
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from tests.api_desk import Desk, function
from tests.cli_logs import logs_restored

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


def carrying(desk: Desk) -> Carrying:
    """What a scheduler has for the jobs there are."""
    there = desk.installation
    acting = Acting(there.partitions, there.runs, there.steering)
    return Carrying(there.bulk, there.history, acting, desk.clock, lambda _: asyncio.sleep(0))


async def carry_on(desk: Desk) -> None:
    """Does all that the jobs have to do."""
    for id in await desk.installation.bulk.open():
        await carrying(desk).carry_on(id)


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
    for _ in range(2):
        assert (await post(client, {}, f"/{ids[0]}/resume"))["state"] == "running"
    await carry_on(desk)
    done = await post(client, {}, f"/{ids[0]}/resume")
    assert (done["state"], done["done"]) == ("done", 3), "asked again after a lost answer"


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


# By our client.


async def test_the_client_steers_many(desk: Desk) -> None:
    runs = await failed(desk, 4)
    async with desk.serving() as server, Client(server.url) as client:
        seen = await client.bulk.preview("rerun", status="failed", where='error.type == "CardDeclined"')
        assert (seen.count, seen.exact, len(seen.examples)) == (4, True, 4)
        assert seen.errors == (ErrorGroup("CardDeclined", "no money", 4, 1, runs[-1]),)
        job = await client.bulk.begin("rerun", status="failed", where='error.type == "CardDeclined"', rate=7)
        assert (job.ended, job.rate, job.filter["q"]) == (False, 7, 'error.type == "CardDeclined"')
        await carry_on(desk)
        job = await client.bulk.get(job.id)
        assert (job.ended, job.state, job.done, job.left) == (True, "done", 4, 0)
        made = await client.bulk.runs(job.id)
        assert sorted([(await client.runs.get(run)).rerun_of or "" for run in made]) == runs
        desk.clock.advance(1)
        other = await client.bulk.begin("rerun", from_failed=True, function="shop/charge", event=None)
        listed = await client.bulk.list(limit=1)
        assert ([one.id for one in listed], listed.next) == ([other.id], other.id)
        await carry_on(desk)
        job = await client.bulk.stop(other.id)
        assert job.refusals == (BulkRefusal("no step of it has failed", 4, tuple(runs[:0:-1])),)
        assert [one.id for one in await client.bulk.list(cursor=other.id)] != [other.id]


async def test_the_client_says_why_not(desk: Desk) -> None:
    async with desk.serving() as server, Client(server.url) as client:
        with pytest.raises(Refused, match="this would cancel all runs"):
            await client.bulk.begin("cancel")
        assert (await client.bulk.begin("cancel", all_runs=True)).state == "running"
        with pytest.raises(NotFound):
            await client.bulk.get(NOBODY)
        seen = await client.bulk.preview("rerun", from_failed=True)
        assert (seen.count, seen.from_failed) == (0, True)


# By the command line.


@pytest.fixture(autouse=True)
def as_from_a_new_shell(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """And one in which nobody waits long."""
    monkeypatch.setattr(pacing, "PERIOD", 0.01)
    monkeypatch.setattr(bulk_job, "LOOKS", (0.01,))
    with logs_restored():
        yield


class Person(io.StringIO):
    """Somebody at a terminal, who types this."""

    def isatty(self) -> bool:
        return True


async def test_the_command_line_shows_asks_and_follows(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = await failed(desk, 12)
    await failed(desk, 1, {"type": "Timeout", "message": "late", "traceback": []})
    async with desk.serving(work=[carrying(desk).run]) as server:

        async def said(*words: str, code: int = 0, typed: str | None = None) -> str:
            desk.clock.advance(1)
            monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Person(typed))
            assert await asyncio.to_thread(main, ["bulk", *words, "--url", server.url]) == code
            printed = capsys.readouterr()
            return printed.err if code == 2 else printed.out

        assert await said("list") == "no jobs\n"
        assert "this asks before it does anything, and nobody can answer: say --yes" in await said(
            "rerun", "--status", "failed", code=2
        )
        shown = await said("rerun", "--status", "failed", code=1, typed="n\n")
        assert "do again  13 runs\n" in shown
        assert "error     12 × CardDeclined: no money\n" in shown
        assert "error     1 × Timeout: late\n" in shown
        assert shown.endswith("Do them again? [y/N]: Nothing was done.\n")
        assert await said("list") == "no jobs\n"

        shown = await said("rerun", "--where", 'error.type == "CardDeclined"', "--since", "400d", typed="y\n")
        assert "job 01" in shown
        assert shown.endswith("done: 12 done, 0 refused\n")
        done = orjson.loads(await said("rerun", "--status", "failed", "--from-failed", "--yes", "--json"))
        assert (done["state"], done["refused"], done["from_failed"]) == ("done", 13, True)
        shown = await said("rerun", "--status", "failed", "--from-failed", "--yes", "--rate", "500")
        assert "13: no step of it has failed; such as " in shown

        jobs = orjson.loads(await said("list", "--json"))["data"]
        first = jobs[-1]["id"]
        assert first in await said("list")
        shown = await said("show", first, "--runs")
        assert "done      12 of 12 found\n" in shown
        assert len([line for line in shown.splitlines() if line.startswith("01")]) == 12
        assert len(orjson.loads(await said("show", first, "--runs", "--json"))["runs"]) == len(runs)
        assert await said("stop", first) == f"{first} is done; 12 done\n"
        assert "no bulk job" in await said("show", NOBODY, code=2)


async def test_the_command_line_does_nothing_to_all_runs_by_a_slip(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    await desk.start("order.placed")
    desk.clock.advance(1)
    async with desk.serving(work=[carrying(desk).run]) as server:

        async def said(*words: str, code: int = 0) -> str:
            assert await asyncio.to_thread(main, ["bulk", *words, "--yes", "--url", server.url]) == code
            printed = capsys.readouterr()
            return printed.err if code == 2 else printed.out

        slip = "without a filter, this would cancel all runs: give one, or say so with --all"
        assert slip in await said("cancel", code=2)
        assert slip in await said("cancel", "--until", "0s", code=2)
        assert "not for those that are failed" in await said("cancel", "--status", "failed", code=2)
        assert await said("retry", "--app", "other") == "  try again now  0 runs\n"
        assert "done: 1 done, 0 refused" in await said("cancel", "--all")


async def test_who_leaves_is_told_that_the_job_goes_on(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed(desk, 2)

    def follow(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("stepwell.platform.cli.bulk.follow", follow)
    async with desk.serving() as server:
        words = ["bulk", "rerun", "--status", "failed", "--yes", "--url", server.url]
        assert await asyncio.to_thread(main, words) == 0
    [job] = await desk.installation.bulk.open()
    assert f"the job goes on: `stepwell bulk show {job}` says how far" in capsys.readouterr().err


async def test_a_job_that_is_stopped_says_what_is_left(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    await failed(desk, 2)
    job = await desk.installation.bulk.begin(BulkOrder("rerun", Wanted(status=Status.FAILED)), "oncall")
    taken = await desk.installation.bulk.take(job, "me")
    assert taken
    await desk.installation.bulk.note(taken, "me", Note("-", ["a", "b"], searched=2, total=2, matched=2))
    async with desk.serving() as server:
        assert await asyncio.to_thread(main, ["bulk", "stop", job, "--url", server.url]) == 0
        desk.clock.advance(20_000)
        await carry_on(desk)
        assert await asyncio.to_thread(bulk_job.follow, server.url, job, json=False) == 1
        assert await asyncio.to_thread(main, ["bulk", "resume", job, "--url", server.url]) == 0
        async with Client(server.url) as client:
            assert (await client.bulk.resume(job)).state == "running"
    said = capsys.readouterr().out
    assert said.startswith(f"{job} is stopping; 0 done\n")
    assert said.endswith(f"stopped: 0 done, 0 refused, 2 left\n{job} is running; 0 done\n")
