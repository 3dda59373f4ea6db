"""The examples of waits, sagas, fan-outs and agents do what they say, with crashes and failures on the way."""

import pytest

from examples import agent, approval, resize, trip
from stepwell.platform.testing import TestPlatform


async def test_an_order_is_approved_after_a_reminder() -> None:
    async with TestPlatform(approval.app) as platform:
        run = await platform.send_and_wait("order.placed", {"id": "A-1", "total": 1_200})
        run.waiting("decision")
        await platform.advance("2d")
        await platform.send("order.approved", {"id": "A-2", "by": "Bob"})
        await platform.send("order.approved", {"id": "A-1", "by": "Ada"})
        await platform.settle()
        done = await platform.run(run.id)
        assert done.completed() == "approved by Ada"
        asked = [step.output for key, step in done.steps.items() if key.startswith("ask")]
        assert asked == ["asked clerk@example.org about A-1", "reminded clerk@example.org about A-1"]


async def test_an_order_that_nobody_looks_at_is_escalated_and_rejected_in_the_end() -> None:
    async with TestPlatform(approval.app) as platform:
        run = await platform.send_and_wait("order.placed", {"id": "A-1", "total": 1_200})
        await platform.advance("8d")
        done = await platform.run(run.id)
        assert done.completed() == "nobody has decided"
        assert done.steps["ask:3"].output == "reminded head@example.org about A-1"
        [rejected] = await platform.events("order.rejected")
        assert rejected.data == {"id": "A-1", "by": "nobody"}


async def test_an_approval_that_comes_first_counts_and_small_orders_need_none() -> None:
    async with TestPlatform(approval.app) as platform:
        placed = await platform.send("order.placed", {"id": "A-1", "total": 1_200})
        await platform.send("order.rejected", {"id": "A-1", "by": "Ada"})
        await platform.settle()
        [run] = await platform.runs(event=placed)
        assert run.completed() == "rejected by Ada"
        assert await platform.runs(event=await platform.send("order.placed", {"id": "A-2", "total": 10})) == []


@pytest.mark.parametrize("full", ["flight", "hotel", "car", ""])
async def test_a_trip_is_booked_whole_or_not_at_all(full: str) -> None:
    async with TestPlatform(trip.app) as platform:
        platform.crash(after="book-flight") if full != "flight" else None
        run = await platform.send_and_wait("trip.wanted", {"to": "Oslo", "full": full})
        parts = trip.PARTS[: trip.PARTS.index(full)] if full else trip.PARTS
        booked = [f"{part}-oslo-1" for part in parts]
        assert run.completed() == ({"cancelled": booked[::-1]} if full else {"booked": booked})


async def test_a_thousand_pictures_are_resized_in_chunks() -> None:
    async with TestPlatform(resize.app) as platform:
        run = await platform.send_and_wait("album.uploaded", {"pictures": 1_000}, function="album/album")
        assert run.completed() == {"chunks": 20, "bytes": 1_000 * 1_000 + sum(range(1_000))}
        chunks = await platform.runs("album/chunk")
        assert sum(len(chunk.steps) for chunk in chunks) == 1_000


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_agent_that_is_killed_repeats_no_recorded_call(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list[int]()
    think = agent.think

    async def counted(question: str, seen: list[float]) -> agent.Thought:
        calls.append(len(seen))
        return await think(question, seen)

    monkeypatch.setattr(agent, "think", counted)
    async with TestPlatform(agent.app) as platform:
        if moment == "after":
            platform.crash(after="think-1")
        else:
            platform.crash(before="think-1")
        run = await platform.send_and_wait("question.asked", {"question": "What do 3 teapots cost?", "budget": 500})
        assert run.completed() == {"answer": "What do 3 teapots cost? 74.70 EUR.", "tokens": 350, "turns": 3}
    # Cut off before its outcome was recorded, a call is made once more; after it, never.
    assert calls == ([0, 1, 2] if moment == "after" else [0, 1, 1, 2])


async def test_an_agent_stops_when_its_budget_is_spent() -> None:
    async with TestPlatform(agent.app) as platform:
        run = await platform.send_and_wait("question.asked", {"question": "What do 3 teapots cost?", "budget": 200})
        assert run.failed("OverBudget").message == "260 tokens are more than the 200 it may use"
