"""Apps have steps recorded while a call goes on."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from stepwell.platform.records import StepRow
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.wire.calls import read_right, right_of
from tests.api_desk import Desk, function
from tests.remote_desk import done, op

SETTINGS = Settings(max_output_bytes=2_048, max_steps=3)


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store, SETTINGS)
    await desk.register(function("pay", "pay"))
    return desk


@pytest.fixture
async def client(desk: Desk) -> AsyncGenerator[httpx2.AsyncClient]:
    async with desk.client() as client:
        yield client


async def leased(desk: Desk) -> tuple[str, str]:
    """A run and the token of its lease."""
    run = await desk.start("pay")
    [lease] = await desk.lease("shop/pay")
    return run, lease.token


async def recorded(desk: Desk, run: str) -> dict[str, StepRow]:
    rows = await desk.installation.history.steps(run)
    return {row.key: row for row in rows or []}


async def post(client: httpx2.AsyncClient, run: str, right: Any, *steps: Any) -> httpx2.Response:
    return await client.post(f"/v1/checkpoint/{run}/async", json={"run_id": run, "qi_id": right, "steps": list(steps)})


async def test_a_step_is_recorded_once_however_often_it_is_told(desk: Desk, client: httpx2.AsyncClient) -> None:
    run, token = await leased(desk)
    step = done("charge", {"paid": 7}) | {"timing": {"a": 1, "b": 5_000_000}, "rawArgs": ["charge", None]}
    for data in ({"paid": 7}, {"paid": 8}):
        answer = await post(client, run, right_of(token, 0), step | {"data": data})
        assert answer.status_code == 200, answer.text
    row = (await recorded(desk, run))["charge"]
    assert (row.state, row.payload, row.attempts, row.ended - row.started) == ("done", b'{"paid":7}', 1, 5)


async def test_a_step_that_had_failed_counts_its_attempts(desk: Desk, client: httpx2.AsyncClient) -> None:
    run, token = await leased(desk)
    await desk.owner().retry_step(run, token, 1, "charge", "run", attempts=2, delay=0, took=1, error=b"{}")
    assert (await post(client, run, right_of(token, 2), done("charge"), done("mail"))).status_code == 200
    rows = await recorded(desk, run)
    assert (rows["charge"].attempts, rows["mail"].attempts) == (3, 1)


async def test_a_call_that_has_lost_its_run_is_told_so(desk: Desk, client: httpx2.AsyncClient) -> None:
    run, token = await leased(desk)
    await desk.owner().release(run, token, 1)
    answer = await post(client, run, right_of(token, 0), done("charge"))
    assert answer.status_code == 409
    assert "not the run's any more" in answer.json()["error"]
    assert (await post(client, run, right_of("another", 0), done("charge"))).status_code == 409
    assert await recorded(desk, run) == {}


async def test_what_is_over_a_limit_is_left_for_the_answer(desk: Desk, client: httpx2.AsyncClient) -> None:
    run, token = await leased(desk)
    answer = await post(client, run, right_of(token, 0), done("page", "x" * 3_000))
    assert (answer.status_code, "an output has at most 2,048" in answer.json()["error"]) == (500, True)
    for number in range(4):
        answer = await post(client, run, right_of(token, 0), done(f"step {number}"))
    assert (answer.status_code, "limit of steps" in answer.json()["error"]) == (500, True)
    assert len(await recorded(desk, run)) == 3


@pytest.mark.parametrize("right", [None, 7, "", "token", "token/x", "to ken/0", "tök/0", "/0" * 200])
async def test_without_the_right_of_the_call_nothing_is_recorded(
    desk: Desk, client: httpx2.AsyncClient, right: Any
) -> None:
    run, _ = await leased(desk)
    answer = await post(client, run, right, done("charge"))
    assert answer.status_code in (400, 409)
    assert await recorded(desk, run) == {}


@pytest.mark.parametrize(
    "step", [7, {"id": "a"}, op("Sleep", "nap", name="1s"), op("StepRun", "a", error={"message": "no"})]
)
async def test_only_steps_that_were_executed_are_recorded(desk: Desk, client: httpx2.AsyncClient, step: Any) -> None:
    run, token = await leased(desk)
    assert (await post(client, run, right_of(token, 0), step)).status_code == 400


@pytest.mark.parametrize("run", ["nonsense", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "%00"])
async def test_a_run_that_cannot_be_is_not_found(client: httpx2.AsyncClient, run: str) -> None:
    assert (await post(client, run, "token/0", done("charge"))).status_code == 404


def test_a_right_is_read_as_it_was_given() -> None:
    assert read_right(right_of("S:1/2", 7)) == ("S:1/2", 7)


async def test_what_took_longer_than_there_is_time_stops_nobody(desk: Desk) -> None:
    """Its row has to be read by what fires the timers of all runs."""
    run, token = await leased(desk)
    owner, ages = desk.owner(), 10**13
    await owner.retry_step(run, token, 1, "charge", "run", attempts=1, delay=1_000, took=ages, error=b"{}")
    await owner.checkpoint(run, token, 2, "mail", "run", ok=True, attempts=1, took=ages, payload=b"1")
    desk.clock.advance(1_000)
    await desk.tick()
    rows = await recorded(desk, run)
    assert (rows["charge"].due, rows["charge"].started, rows["mail"].started) == (0, 0, 0)
    await owner.checkpoint(run, token, 3, "charge", "run", ok=True, attempts=2, took=1, payload=b"2")
