"""Counts by minute and hour: of partitions together, within what is kept, over HTTP."""

from typing import Any

import pytest

from stepwell.platform.reading.rates import Per
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function

ERROR: dict[str, Any] = {"type": "E", "message": "no", "traceback": []}
DAY = 86_400_000


@pytest.fixture
async def desk(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("fulfil"), function("mail", "user.joined"))
    return desk


async def rates(desk: Desk, **query: Any) -> dict[str, Any]:
    async with desk.client() as client:
        answer = await client.get("/api/v1/rates", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["data"]
        return found


async def problem(desk: Desk, **query: Any) -> tuple[int, str]:
    async with desk.client() as client:
        answer = await client.get("/api/v1/rates", params=query)
        return answer.status_code, answer.json()["error"]["code"]


async def test_the_last_hour_by_minute(desk: Desk) -> None:
    desk.clock.advance(Per.HOUR * 2)
    await desk.send("order.placed")
    await desk.finish_all("shop/fulfil")
    desk.clock.advance(Per.MINUTE)
    await desk.send("order.placed")
    await desk.send("user.joined")
    await desk.finish_all("shop/fulfil", status="failed", body=ERROR)
    found = await rates(desk)
    assert (found["function"], found["per"]) == (None, "minute")
    assert found["before"] - found["after"] == 61 * Per.MINUTE, "both of the minutes that are not whole are told"
    times = [point["at"] for point in found["points"]]
    assert times == list(range(found["after"], found["before"], Per.MINUTE))
    numbers = {"events": 0, "started": 0, "completed": 0, "failed": 0, "cancelled": 0, "retried": 0, "failed_steps": 0}
    before, last = found["points"][-2:]
    assert before == numbers | {"at": times[-2], "events": 1, "created": 1, "started": 1, "completed": 1}
    assert last == numbers | {"at": times[-1], "events": 2, "created": 2, "started": 1, "failed": 1}
    assert not any(sum(point.values()) - point["at"] for point in found["points"][:-2])


async def test_of_one_function(desk: Desk) -> None:
    await desk.send("order.placed")
    await desk.send("user.joined")
    found = await rates(desk, function="shop/mail")
    assert [(point["created"], point["events"]) for point in found["points"]][-1] == (1, 0)
    assert found["function"] == "shop/mail"
    idle = await rates(desk, function="shop/mail", before=desk.clock.now() - Per.HOUR)
    assert sum(point["created"] for point in idle["points"]) == 0


async def test_what_is_called_like_nothing_is_not_one_that_does_nothing(desk: Desk) -> None:
    assert await problem(desk, function="shop/none") == (404, "not_found")


async def test_a_function_that_is_gone_keeps_its_counts(desk: Desk) -> None:
    await desk.send("user.joined")
    await desk.register(function("fulfil"), version="2")
    assert (await rates(desk, function="shop/mail"))["points"][-1]["created"] == 1


async def test_hours_of_a_week(desk: Desk) -> None:
    began = desk.clock.now()
    await desk.send("order.placed")
    desk.clock.advance(2 * DAY)
    await desk.send("order.placed")
    found = await rates(desk, per="hour", after=0)
    assert found["after"] == (desk.clock.now() - 7 * DAY) // Per.HOUR * Per.HOUR, "as far as it is kept, and says so"
    assert len(found["points"]) == 7 * 24 + 1
    assert [point["at"] // Per.HOUR for point in found["points"] if point["created"]] == [
        began // Per.HOUR,
        desk.clock.now() // Per.HOUR,
    ]
    day = await rates(desk, function="shop/fulfil", per="hour", after=0)
    assert len(day["points"]) == 25


async def test_ranges(desk: Desk) -> None:
    now = desk.clock.now()
    assert await problem(desk, after=now - 2 * DAY) == (400, "long_range")
    assert len((await rates(desk, after=now - DAY + Per.MINUTE))["points"]) == 1_440
    part = await rates(desk, after=now - 90_000, before=now - 30_000)
    assert part["after"] % Per.MINUTE == part["before"] % Per.MINUTE == 0
    assert part["after"] <= now - 90_000 < now - 30_000 <= part["before"] < now + Per.MINUTE
    assert (await rates(desk, after=now, before=now - DAY))["points"] == []
    assert (await rates(desk, after=now + DAY, before=now + 2 * DAY))["points"] == [], "nothing is told of the future"
    assert await problem(desk, per="second") == (400, "invalid_parameter")


async def test_partitions_are_counted_together() -> None:
    async with memory_store(partitions=4) as store:
        desk = Desk.over(store)
        await desk.register(function("fulfil"))
        for index in range(20):
            await desk.send("order.placed", {"n": index})
        await desk.finish_all("shop/fulfil")
        for query in ({}, {"function": "shop/fulfil"}):
            last = (await rates(desk, **query))["points"][-1]
            assert (last["created"], last["started"], last["completed"]) == (20, 20, 20)
