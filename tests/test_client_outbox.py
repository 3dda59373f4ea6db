"""Sends of one event loop travel together, and yet each has its own outcome."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from stepwell.client import Refused, Unauthorized, Unreachable
from stepwell.client.outbox import IN_FLIGHT, MOST_BYTES, MOST_EVENTS, Outbox, split


def event(id: str) -> bytes:
    return orjson.dumps({"id": id})


class Office:
    """Answers posts with the events' own ids, and refuses those that hold a bad one."""

    def __init__(self, *bad: str, error: Exception | None = None) -> None:
        self.posts: list[list[str]] = []
        self.bad = bad
        self.error = error or Refused(400, "", "event 0: no name")
        self.open = asyncio.Event()
        self.open.set()

    async def post(self, body: bytes, count: int) -> list[str]:
        events: list[dict[str, Any]] = orjson.loads(body)
        ids = [event["id"] for event in events]
        assert len(ids) == count
        self.posts.append(ids)
        await self.open.wait()
        if any(id in self.bad for id in ids):
            raise self.error
        return ids


async def test_sends_of_one_tick_leave_in_one_request() -> None:
    office = Office()
    outbox = Outbox(office.post)
    answers = await asyncio.gather(*(outbox.put([event(str(n))]) for n in range(100)))
    assert answers == [[str(n)] for n in range(100)]
    assert len(office.posts) == 1


async def test_a_lone_send_leaves_at_once() -> None:
    office = Office()
    assert await Outbox(office.post).put([event("a"), event("b")]) == ["a", "b"]
    assert office.posts == [["a", "b"]]


async def test_what_comes_while_requests_are_under_way_leaves_together_afterwards() -> None:
    office = Office()
    office.open.clear()
    outbox = Outbox(office.post)
    sends: list[asyncio.Task[list[str]]] = []
    for n in range(IN_FLIGHT):
        sends.append(asyncio.create_task(outbox.put([event(f"early {n}")])))
        await settled()
    sends += [asyncio.create_task(outbox.put([event(f"late {n}")])) for n in range(10)]
    await settled()
    assert len(office.posts) == IN_FLIGHT
    office.open.set()
    await asyncio.gather(*sends)
    assert len(office.posts) == IN_FLIGHT + 1
    assert office.posts[-1] == [f"late {n}" for n in range(10)]


async def test_requests_hold_5000_events_at_most() -> None:
    office = Office()
    outbox = Outbox(office.post)
    await asyncio.gather(*(outbox.put([event(f"{n} {m}") for m in range(100)]) for n in range(60)))
    assert [len(post) for post in office.posts] == [5000, 1000]


async def test_requests_hold_4_mib_at_most() -> None:
    office = Office()
    outbox = Outbox(office.post)
    await asyncio.gather(*(outbox.put([event("x" * 2_000_000)]) for _ in range(3)))
    assert [len(post) for post in office.posts] == [2, 1]


async def test_a_bad_event_does_not_fail_its_neighbours() -> None:
    office = Office("7")
    outbox = Outbox(office.post)
    sends = [outbox.put([event(str(n))]) for n in range(64)]
    answers = await asyncio.gather(*sends, return_exceptions=True)
    assert [n for n, answer in enumerate(answers) if isinstance(answer, Exception)] == [7]
    assert isinstance(answers[7], Refused)
    assert len(office.posts) == 1 + 2 * 6


async def test_the_events_of_one_send_are_never_parted() -> None:
    office = Office("bad")
    outbox = Outbox(office.post)
    answers = await asyncio.gather(
        outbox.put([event("a"), event("bad"), event("b")]), outbox.put([event("c")]), return_exceptions=True
    )
    assert isinstance(answers[0], Refused)
    assert answers[1] == ["c"]
    assert office.posts[1] == ["a", "bad", "b"]


@pytest.mark.parametrize("error", [Unauthorized(401, "", "unknown key"), Unreachable("http://x", "refused")])
async def test_what_is_wrong_with_all_of_them_fails_all_at_once(error: Exception) -> None:
    office = Office("a", error=error)
    outbox = Outbox(office.post)
    answers = await asyncio.gather(*(outbox.put([event(id)]) for id in "abc"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(error)] * 3
    assert len({id(answer) for answer in answers}) == 3
    assert len(office.posts) == 1


async def test_a_cancelled_caller_harms_no_other() -> None:
    office = Office()
    office.open.clear()
    outbox = Outbox(office.post)
    gone, stays = asyncio.create_task(outbox.put([event("a")])), asyncio.create_task(outbox.put([event("b")]))
    await settled()
    gone.cancel()
    await settled()
    office.open.set()
    assert await stays == ["b"]
    assert gone.cancelled()


async def test_a_caller_cancelled_before_the_end_of_the_tick_sends_nothing() -> None:
    office = Office()
    outbox = Outbox(office.post)
    gone = asyncio.create_task(outbox.put([event("a")]))
    gone.cancel()
    assert await outbox.put([event("b")]) == ["b"]
    assert office.posts == [["b"]]


async def test_close_waits_for_answers_and_drops_what_nobody_waits_for() -> None:
    office = Office()
    office.open.clear()
    outbox = Outbox(office.post)
    gone = asyncio.create_task(outbox.put([event("a")]))
    await settled()
    stays = asyncio.create_task(outbox.put([event("b")]))
    await settled()
    gone.cancel()
    await settled()
    closing = asyncio.create_task(outbox.close())
    await settled()
    assert not closing.done()
    office.open.set()
    await closing
    assert await stays == ["b"]


async def test_close_does_not_wait_for_the_tries_of_a_caller_that_has_gone() -> None:
    office = Office()
    office.open.clear()
    outbox = Outbox(office.post)
    gone = asyncio.create_task(outbox.put([event("a")]))
    await settled()
    gone.cancel()
    await settled()
    await outbox.close()


def test_a_list_is_split_by_number_and_by_size() -> None:
    assert split([b"x"] * 3) == [[b"x"] * 3]
    assert [len(part) for part in split([b"x"] * (2 * MOST_EVENTS + 1))] == [MOST_EVENTS, MOST_EVENTS, 1]
    half = b"x" * (MOST_BYTES // 2)
    assert [len(part) for part in split([half, b"y", half, b"z"])] == [2, 2]
    assert [len(part) for part in split([b"y", b"x" * (MOST_BYTES + 1), b"z"])] == [1, 1, 1]


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)
