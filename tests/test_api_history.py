"""What has happened to runs: over HTTP, by the client, and on the command line."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import orjson
import pytest
from pydantic import SecretStr

from stepwell.client import Client
from stepwell.client.errors import NotFound
from stepwell.platform.cli import main
from stepwell.platform.engine.leases import Leases
from stepwell.platform.records import Lease
from stepwell.platform.settings import Settings
from stepwell.platform.steering.order import Order
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import SESSION, Desk, function
from tests.test_api_reads import NOBODY, assert_problem

DECLINED: dict[str, Any] = {
    "type": "CardDeclined",
    "message": "no money",
    "traceback": [{"file": "/app/shop.py", "line": 7, "function": "charge", "source": "raise CardDeclined(card)"}],
    "cut": 3,
    "causes": [
        {
            "relation": "cause",
            "type": "OSError",
            "message": "the bank is away",
            "traceback": [{"file": "/app/bank.py", "line": 9, "function": "call"}],
        },
        {"relation": "context", "type": "KeyError", "message": "'id'", "traceback": []},
    ],
    "causes_cut": 2,
}
TRACE = """Traceback (most recent call last):
  [3 more above]
  File "/app/shop.py", line 7, in charge
    raise CardDeclined(card)"""
CAUSE = 'Traceback (most recent call last):\n  File "/app/bank.py", line 9, in call'


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


async def tried(desk: Desk) -> str:
    """A run whose step has failed, slept and succeeded; its id."""
    lease = await leased(desk)
    owner, error = desk.owner(), orjson.dumps(DECLINED)
    desk.clock.advance(10)
    await owner.retry_step(lease.run, lease.token, 1, "charge", "run", attempts=1, delay=1_000, took=4, error=error)
    await owner.suspend(lease.run, lease.token, 2, 99)
    desk.clock.advance(1_000)
    await desk.tick()
    desk.clock.advance(2)
    [lease] = await desk.lease("shop/fulfil")
    desk.clock.advance(5)
    await owner.checkpoint(lease.run, lease.token, 1, "charge", "run", ok=True, attempts=2, took=5, payload=b"1")
    await owner.finish(lease.run, lease.token, 2, "failed", error)
    desk.clock.advance(60_000)
    return lease.run


async def read(client: httpx2.AsyncClient, run: str, what: str = "history", **query: int) -> Any:
    answer = await client.get(f"/api/v1/runs/{run}/{what}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_all_that_has_happened_to_a_run_is_told_in_order(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await tried(desk)
    told = await read(client, run)
    assert (told["queued_ms"], told["running_ms"], told["waiting_ms"]) == (2, 15, 1_000)
    assert (told["dropped"], told["next"], told["total"]) == (0, None, 9)
    born = told["data"][0]["at"]
    shown = [
        (one["kind"], one["at"] - born, one["until"] and one["until"] - born, one["outcome"]) for one in told["data"]
    ]
    assert shown == [
        ("created", 0, None, None),
        ("queued", 0, 0, None),
        ("running", 0, 10, "suspended"),
        ("step", 6, 1_017, "completed"),
        ("failed_attempt", 6, 10, None),
        ("waiting", 10, 1_010, None),
        ("queued", 1_010, 1_012, None),
        ("running", 1_012, 1_017, "failed"),
        ("failed", 1_017, None, None),
    ]
    assert [one["number"] for one in told["data"]] == list(range(1, 10))
    failed = told["data"][4]
    assert (failed["step"], failed["attempt"], failed["worker"], failed["due"] - born) == ("charge", 1, SESSION, 1_010)
    assert failed["error"]["traceback"] == TRACE


async def test_a_history_is_read_part_by_part(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await tried(desk)
    whole = (await read(client, run))["data"]
    first = await read(client, run, limit=4)
    second = await read(client, run, limit=5, after=int(first["next"]))
    assert (first["data"] + second["data"], second["next"]) == (whole, None)
    assert (await read(client, run, after=99))["data"] == []
    assert_problem(await client.get(f"/api/v1/runs/{run}/history", params={"limit": 1_001}), 400, "invalid_parameter")
    assert_problem(await client.get(f"/api/v1/runs/{NOBODY}/history"), 404, "not_found")


async def test_a_step_tells_its_failed_attempts(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await tried(desk)
    [step] = (await read(client, run, "steps"))["data"]
    [one] = step["tries"]
    assert (one["attempt"], one["ended_at"] - one["started_at"], one["worker"]) == (1, 4, SESSION)
    assert (one["error"]["type"], step["attempts"], step["error"]) == ("CardDeclined", 2, None)


async def test_a_step_that_executes_is_running(desk: Desk, client: httpx2.AsyncClient) -> None:
    lease = await leased(desk)
    leases = Leases(desk.installation.partitions[0], 15_000, 3)
    await desk.owner().retry_step(
        lease.run, lease.token, 1, "charge", "run", attempts=1, delay=1, took=4, error=orjson.dumps(DECLINED)
    )
    desk.clock.advance(5_000)
    other = "01JQ3V2M8XK4T7RD9W5ZC6B0AH"
    steps = [(lease.run, "charge", 2, 1_500), (lease.run, "pack|up", 1, 4_000), (other, "pack", 1, 9_000)]
    await leases.executing(SESSION, steps)
    first, second = (await read(client, lease.run, "steps"))["data"]
    assert (first["id"], first["status"], first["attempts"], first["worker"]) == ("charge", "running", 2, SESSION)
    assert (second["id"], second["status"], second["attempts"], second["kind"]) == ("pack|up", "running", 1, "run")
    assert (second["index"], second["started_at"]) == (1, desk.clock.now() - 4_000)
    history = (await read(client, lease.run))["data"]
    assert [one["step"] for one in history if one["outcome"] == "running"] == ["pack|up"]
    await leases.executing(SESSION, [])
    [step] = (await read(client, lease.run, "steps"))["data"]
    assert (step["status"], step["worker"]) == ("retrying", None)
    await leases.executing(SESSION, steps)
    await desk.finish(lease)
    [step] = (await read(client, lease.run, "steps"))["data"]
    assert step["status"] == "retrying"
    await leases.reap(SESSION, [], "idle")
    await leases.executing(SESSION, steps)  # too late: nobody would remove it
    [home, *_] = desk.installation.partitions
    assert await home.read("EXISTS", home.keys.name("k_executing", SESSION)) == 0


async def test_an_error_tells_what_it_has_come_from(desk: Desk, client: httpx2.AsyncClient) -> None:
    run = await tried(desk)
    error = (await client.get(f"/api/v1/runs/{run}")).json()["data"]["error"]
    assert (error["type"], error["traceback"], error["causes_cut"]) == ("CardDeclined", TRACE, 2)
    first, second = error["causes"]
    assert (first["relation"], first["type"], first["message"], first["traceback"]) == (
        *("cause", "OSError", "the bank is away"),
        CAUSE,
    )
    assert (second["relation"], second["traceback"]) == ("context", None)


async def test_an_error_of_before_has_no_causes(desk: Desk, client: httpx2.AsyncClient) -> None:
    lease = await leased(desk)
    await desk.finish(lease, "failed", {"type": "E", "message": "m", "traceback": []})
    error = (await client.get(f"/api/v1/runs/{lease.run}")).json()["data"]["error"]
    assert (error["causes"], error["causes_cut"]) == ([], 0)


async def test_a_rerun_tells_which_steps_it_has_kept(desk: Desk, client: httpx2.AsyncClient) -> None:
    lease = await leased(desk)
    for key in ("charge", "ship"):
        await desk.owner().checkpoint(lease.run, lease.token, 1, key, "run", ok=True, attempts=1, took=0, payload=b"1")
        desk.clock.advance(1)
    await desk.finish(lease)
    desk.clock.advance(9)
    again = await desk.installation.steering.rerun(lease.run, Order(None, "ship", None))
    told = (await read(client, again))["data"]
    assert [(one["kind"], one["step"]) for one in told] == [("created", None), ("kept", "charge"), ("queued", None)]
    assert (await read(client, again))["queued_ms"] == 0


async def test_a_run_of_many_steps_is_read_whole(desk: Desk, client: httpx2.AsyncClient) -> None:
    lease = await leased(desk)
    owner = desk.owner()
    await asyncio.gather(
        *[
            owner.checkpoint(
                lease.run, lease.token, 1, f"s{n}", "run", ok=True, attempts=1, took=0, payload=b"1" * 2_000
            )
            for n in range(1_000)
        ]
    )
    told = await read(client, lease.run, limit=1_000)
    assert (len(told["data"]), told["next"], told["total"]) == (1_000, "1000", 1_003)
    rest = await read(client, lease.run, after=1_000)
    steps = [one["step"] for one in told["data"] + rest["data"] if one["kind"] == "step"]
    assert sorted(steps) == sorted(f"s{n}" for n in range(1_000))


async def test_who_may_not_see_payloads_sees_no_tracebacks_of_a_history() -> None:
    keys = SecretStr("blind:read+no-payloads:dark"), SecretStr("seer:read:light")
    async with memory_store() as store:
        desk = Desk.over(store, Settings(event_keys=(SecretStr("e"),), api_keys=keys))
        await desk.register(function("fulfil"))
        run = await tried(desk)
        async with desk.client(dev=False) as client:

            async def seen(key: str, what: str) -> str:
                answer = await client.get(f"/api/v1/runs/{run}{what}", headers={"Authorization": f"Bearer {key}"})
                assert answer.status_code == 200, answer.text
                return answer.text

            for what in ("", "/steps", "/history"):
                blind, whole = await seen("dark", what), await seen("light", what)
                assert "shop.py" in whole
                assert "shop.py" not in blind
                assert "bank.py" not in blind
            error = orjson.loads(await seen("dark", ""))["data"]["error"]
            assert [cause["hidden"] for cause in error["causes"]] == [True, True]


async def test_our_client_reads_the_history(desk: Desk) -> None:
    run = await tried(desk)
    async with desk.serving() as server, Client(server.url) as client:
        history = await client.runs.history(run)
        assert (history.queued_ms, history.running_ms, history.waiting_ms) == (2, 15, 1_000)
        assert [entry.kind for entry in history.data][:3] == ["created", "queued", "running"]
        part = await client.runs.history(run, after=2, limit=1)
        assert (part.data, part.next, part.total) == (history.data[2:3], "3", 9)
        [step] = await client.runs.steps(run)
        assert [one.attempt for one in step.tries] == [1]
        error = (await client.runs.get(run)).error
        assert error is not None
        assert [cause.type for cause in error.causes] == ["OSError", "KeyError"]
        with pytest.raises(NotFound):
            await client.runs.history(NOBODY)


async def test_the_command_line_shows_what_executes(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    lease = await leased(desk)
    leases = Leases(desk.installation.partitions[0], 15_000, 3)
    await leases.executing(SESSION, [(lease.run, "pay", 1, 4_000)])
    async with desk.serving() as server:
        assert await asyncio.to_thread(main, ["runs", "show", lease.run, "--url", server.url]) == 0
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split() == ["pay", "run", "running", "1", "-", "by", SESSION]


async def test_the_command_line_shows_the_history_and_the_causes(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await tried(desk)
    async with desk.serving() as server:

        async def said(*words: str) -> str:
            assert await asyncio.to_thread(main, ["runs", *words, "--url", server.url]) == 0
            return capsys.readouterr().out

        lines = [" ".join(line.split()) for line in (await said("history", run)).splitlines()]
        assert lines[:3] == ["queued 2 ms", "running 15 ms", "waiting 1.0 s"]
        rest = [line.partition(" ")[2].partition(" ")[2] for line in lines[5:]]
        assert rest == [
            "created -",
            "queued 0 ms",
            f"running 10 ms by {SESSION} then suspended",
            f"step 1.0 s run charge by {SESSION} completed",
            f"failed attempt 4 ms charge attempt 1 by {SESSION} CardDeclined: no money",
            "waiting 1.0 s",
            "queued 2 ms",
            f"running 5 ms by {SESSION} then failed",
            "failed - attempt 1 CardDeclined: no money",
        ]
        assert orjson.loads(await said("history", run, "--json"))["total"] == 9
        shown = await said("show", run)
        assert (
            f"the function: {TRACE}\nCardDeclined: no money\n\nraised from: {CAUSE}\nOSError: the bank is away\n"
            in shown
        )
        assert "raised while this was handled: KeyError: 'id'\n\nand 2 more, which are not kept\n" in shown
