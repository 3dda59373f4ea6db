"""Lists of events: newest first, whole, in pages that are never too large."""

from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest

from stepwell.platform.reading import events as listing
from stepwell.platform.reading.pages import BadCursor
from stepwell.platform.records import EventRecord
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function


@pytest.fixture
async def desk(store: Store) -> Desk:
    return Desk.over(store)


@pytest.fixture
async def wide() -> AsyncGenerator[Desk]:
    async with memory_store(partitions=4) as store:
        yield Desk.over(store)


async def everything(desk: Desk, name: str | None = None, limit: int = 100) -> list[EventRecord]:
    found: list[EventRecord] = []
    cursor = None
    for _ in range(200):
        page = await desk.installation.history.events(name, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 5, 9, 100])
async def test_pages_give_every_event_once_and_newest_first(desk: Desk, limit: int) -> None:
    sent = [await desk.send(f"n{index % 2}", {"index": index}) for index in range(20)]
    assert [event.id for event in await everything(desk, limit=limit)] == sent[::-1]
    assert [event.data["index"] for event in await everything(desk, "n1", limit)] == list(range(19, 0, -2))


async def test_an_event_is_given_back_as_it_was_sent(desk: Desk) -> None:
    await desk.register(function("fulfil"))
    data: dict[str, Any] = {"text": 'a "quote" — <b>ü</b> \n\x00', "list": [1, 2.5, None, True], "deep": {"a": {}}}
    id = await desk.send("order.placed", data, id="A-1", ts=desk.clock.now() - 5)
    event = await desk.installation.history.event(id)
    assert event
    assert (event.name, event.data, event.sender_id) == ("order.placed", data, "A-1")
    assert event.ts < event.received == desk.clock.now()
    assert len(event.runs) == 1


@pytest.mark.parametrize("name", ['a "b"', "\\", "a\nb", "ü" * 256, "\x01" * 512, '","name":"x', "{", "a}"])
async def test_names_of_any_kind_are_found_again(desk: Desk, name: str) -> None:
    await desk.register(function("fulfil", name))
    await desk.send("other")
    id = await desk.send(name)
    assert [event.id for event in await everything(desk, name)] == [id]
    record = await desk.installation.history.event(id)
    assert record
    [view] = await desk.installation.history.event_runs(record)
    assert view.event_name == name


async def test_the_name_is_found_behind_very_many_runs(desk: Desk) -> None:
    await desk.register(*[function(f"f{index}") for index in range(90)])
    id = await desk.send("order.placed", {"x": "y" * 5_000})
    assert [event.id for event in await everything(desk, "order.placed")] == [id]


async def test_a_page_of_large_events_ends_early_and_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_BYTES", 1_000)
    monkeypatch.setattr(listing, "AT_ONCE", 2)
    sent = [await desk.send("big", {"x": "y" * 600}) for _ in range(5)]
    page = await desk.installation.history.events()
    assert len(page.items) == 2
    assert [event.id for event in await everything(desk)] == sent[::-1]


async def test_what_a_filter_leaves_out_is_continued_never_dropped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_EXAMINED", 4)
    monkeypatch.setattr(listing, "NAMES_AT_ONCE", 2)
    rare = await desk.send("rare")
    for _ in range(10):
        await desk.send("common")
    page = await desk.installation.history.events("rare")
    assert page.items == ()
    assert page.next
    assert [event.id for event in await everything(desk, "rare")] == [rare]


async def test_an_event_that_retention_took_meanwhile_is_left_out(desk: Desk) -> None:
    sent = [await desk.send("a") for _ in range(3)]
    home = desk.installation.partitions[0]
    await home.store.call(0, "DEL", home.keys.name("k_event", sent[1]))
    assert [event.id for event in await everything(desk, limit=2)] == [sent[2], sent[0]]


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_events_of_all_partitions_are_one_list_even_within_one_ms(wide: Desk, limit: int) -> None:
    sent = {id for index in range(30) for id in [await wide.send("a", {"index": index})]}
    found = [event.id for event in await everything(wide, limit=limit)]
    assert len(found) == 30
    assert set(found) == sent


async def test_positions_of_partitions_are_told_apart(wide: Desk) -> None:
    """The logs get entries with the very same position, as happens within one ms."""
    ids = [await wide.send("a") for _ in range(12)]
    for partition in wide.installation.partitions:
        log = partition.keys.name("k_log")
        entries = await partition.read("XRANGE", log, "-", "+")
        await partition.store.call(partition.index, "DEL", log)
        for number, (_, fields) in enumerate(entries, start=1):
            await partition.store.call(partition.index, "XADD", log, f"5-{number}", *fields)
    found = [event.id for event in await everything(wide, limit=1)]
    assert len(found) == 12
    assert set(found) == set(ids)
    positions = [listing.Position(5, 1, 0, "x"), listing.Position(5, 1, 2, "a"), listing.Position(5, 2, 0, "a")]
    assert all(older < newer for older, newer in pairwise(positions))


@pytest.mark.parametrize("cursor", ["", "x", "1-2", "1-2-3-4", "-1-2-3", "1-2-٣", "9" * 17 + "-1-1", "1-1-0\n"])
async def test_a_cursor_that_is_none_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(BadCursor, match="next"):
        await desk.installation.history.events(cursor=cursor)


async def test_the_first_runs_of_several_events_are_read_at_once_as_far_as_they_are_kept(desk: Desk) -> None:
    await desk.register(*[function(name) for name in ("charge", "fulfil", "mail")])
    history = desk.installation.history
    for _ in range(2):
        await desk.send("order.placed")
    known = await everything(desk)
    first, second = known
    assert list(await history.headers(known, 2)) == [*first.runs[:2], *second.runs[:2]]
    [partition] = desk.installation.partitions
    await partition.read("DEL", partition.keys.name("k_run", first.runs[0]))
    left = await history.headers(known, 3)
    assert set(left) == {*first.runs[1:], *second.runs}
    assert {run.function for run in left.values()} == {"shop/charge", "shop/fulfil", "shop/mail"}
    assert await history.headers([], 3) == {}
