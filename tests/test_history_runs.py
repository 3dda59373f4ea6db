"""Lists of runs: newest first, whole, whatever is filtered and wherever the runs live."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.platform.ids import new_id
from stepwell.platform.reading import newest as merging
from stepwell.platform.reading import runs as listing
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.newest import newest
from stepwell.platform.reading.pages import BadCursor
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function
from tests.redis_servers import Cluster


@pytest.fixture
async def desk(store: Store) -> Desk:
    return Desk.over(store)


@pytest.fixture
async def wide() -> AsyncGenerator[Desk]:
    async with memory_store(partitions=4) as store:
        yield Desk.over(store)


async def ids(desk: Desk, limit: int = 100, **filters: Any) -> list[str]:
    """Every run that matches, page by page."""
    found: list[str] = []
    cursor = None
    for _ in range(200):
        page = await desk.installation.history.runs(RunFilter(**filters), cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found += [summary.run.id for summary in page.items]
        cursor = page.next
        if cursor is None:
            return found
    raise AssertionError("the pages do not end")


async def three_functions(desk: Desk, each: int) -> list[str]:
    """Runs of three functions of two apps, oldest first."""
    await desk.register(function("fulfil"), function("mail", "user.joined"))
    both = {"triggers": [{"event": "order.*"}, {"event": "user.joined"}]}
    await desk.register(function("count") | both, app="stats")
    runs: list[str] = []
    for index in range(each):
        event = await desk.send("order.placed" if index % 2 else "user.joined")
        record = await desk.installation.history.event(event)
        assert record
        runs += sorted(record.runs)
    return runs


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
async def test_pages_give_every_run_once_and_newest_first(desk: Desk, limit: int) -> None:
    runs = await three_functions(desk, 8)
    assert len(runs) == 16
    assert await ids(desk, limit) == sorted(runs, reverse=True)


async def test_the_last_page_says_that_it_is_the_last(desk: Desk) -> None:
    await desk.register(function("fulfil"))
    for _ in range(4):
        await desk.send("order.placed")
    first = await desk.installation.history.runs(RunFilter(), limit=2)
    assert first.next
    second = await desk.installation.history.runs(RunFilter(), cursor=first.next, limit=2)
    assert len(second.items) == 2
    assert second.next is None


async def test_nothing_is_an_empty_last_page(desk: Desk) -> None:
    page = await desk.installation.history.runs(RunFilter())
    assert (page.items, page.next) == ((), None)


async def test_filters_by_function_app_and_event(desk: Desk) -> None:
    await three_functions(desk, 6)
    history = desk.installation.history
    page = await history.runs(RunFilter(function="shop/fulfil"))
    assert {summary.run.function for summary in page.items} == {"shop/fulfil"}
    assert len(page.items) == 3
    page = await history.runs(RunFilter(app="stats"))
    assert [summary.run.function for summary in page.items] == ["stats/count"] * 6
    page = await history.runs(RunFilter(event="user.joined"))
    assert {summary.event_name for summary in page.items} == {"user.joined"}
    assert len(page.items) == 6
    page = await history.runs(RunFilter(app="shop", function="stats/count"))
    assert page.items == ()


async def test_filters_by_every_status(desk: Desk) -> None:
    await desk.register(function("fulfil"), function("later", "later"))
    failed = await desk.start("order.placed")
    await desk.finish_all("shop/fulfil", status="failed", body={"type": "E", "message": "no", "traceback": []})
    completed = await desk.start("order.placed")
    await desk.finish_all("shop/fulfil", body={"ok": True})
    cancelled = await desk.start("order.placed")
    await desk.installation.runs_at(cancelled).cancel(cancelled)
    running = await desk.start("order.placed")
    await desk.lease("shop/fulfil")
    queued = await desk.start("order.placed")
    expected = {
        Status.FAILED: failed,
        Status.COMPLETED: completed,
        Status.CANCELLED: cancelled,
        Status.RUNNING: running,
        Status.QUEUED: queued,
    }
    for status, run in expected.items():
        assert await ids(desk, status=status) == [run]
        assert await ids(desk, status=status, function="shop/fulfil") == [run]
        assert await ids(desk, status=status, function="shop/later") == []
    assert await ids(desk, status=Status.WAITING) == []


async def test_a_failed_run_comes_with_its_error(desk: Desk) -> None:
    await desk.register(function("fulfil"))
    await desk.start("order.placed")
    await desk.finish_all("shop/fulfil", status="failed", body={"type": "E", "message": "no", "traceback": []})
    page = await desk.installation.history.runs(RunFilter())
    assert b'"no"' in page.items[0].run.error


async def test_times_include_the_first_and_exclude_the_last_ms(desk: Desk) -> None:
    await desk.register(function("fulfil"))
    runs = [await desk.start("order.placed") for _ in range(5)]
    page = await desk.installation.history.runs(RunFilter())
    times = sorted(summary.created for summary in page.items)
    assert await ids(desk, after=times[1], before=times[3]) == [runs[2], runs[1]]
    assert await ids(desk, after=times[3]) == [runs[4], runs[3]]
    assert await ids(desk, before=times[1]) == [runs[0]]
    assert await ids(desk, after=1 << 60) == []
    assert await ids(desk, before=0) == []


async def test_what_a_filter_leaves_out_is_continued_never_dropped(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_EXAMINED", 4)
    monkeypatch.setattr(listing, "AT_ONCE", 2)
    await desk.register(function("fulfil"), function("rare", "rare"))
    rare = await desk.start("rare")
    for _ in range(10):
        await desk.start("order.placed")
    page = await desk.installation.history.runs(RunFilter(event="rare"))
    assert page.items == ()
    assert page.next
    assert await ids(desk, event="rare") == [rare]


async def test_a_run_that_retention_took_meanwhile_is_left_out(desk: Desk) -> None:
    await desk.register(function("fulfil"))
    runs = [await desk.start("order.placed") for _ in range(3)]
    home = desk.installation.partitions[0]
    await home.store.call(0, "DEL", home.keys.name("k_run", runs[1]))
    assert await ids(desk) == [runs[2], runs[0]]


@pytest.mark.parametrize("cursor", ["", "x", "0" * 27, "01KDVDNA0000SS5Q8MFXV5EQ6!", "../../etc/passwd", "\x00"])
async def test_a_cursor_that_is_none_is_refused(desk: Desk, cursor: str) -> None:
    with pytest.raises(BadCursor, match="next"):
        await desk.installation.history.runs(RunFilter(), cursor=cursor)


async def test_runs_of_all_partitions_are_one_list(wide: Desk) -> None:
    runs = await three_functions(wide, 20)
    assert await ids(wide, 3) == sorted(runs, reverse=True)
    counts = await wide.installation.history.counts()
    assert counts.queued == counts.unfinished == 40


async def test_runs_of_a_real_cluster_are_one_list(cluster: Cluster) -> None:
    async with Store.open(Settings(redis_url=cluster.url)) as store:
        desk = Desk.over(store)
        runs = await three_functions(desk, 20)
        assert await ids(desk, 7) == sorted(runs, reverse=True)
        await desk.finish_all("shop/fulfil", "shop/mail", "stats/count")
        assert (await desk.installation.history.counts()).completed == len(runs)


@pytest.mark.parametrize("id", ["", "x", "0" * 26, "8" + "0" * 25, "i" * 26, "../" * 8, "01KDVDNA0000SS5Q8MFXV5EQ69\n"])
async def test_what_is_no_id_is_not_found(desk: Desk, id: str) -> None:
    history = desk.installation.history
    assert await history.run(id) is None
    assert await history.steps(id) is None
    assert await history.event(id) is None


async def test_an_id_of_a_partition_that_does_not_exist_is_not_found(desk: Desk) -> None:
    elsewhere = new_id(desk.clock.now(), 1023)
    assert await desk.installation.history.run(elsewhere) is None
    assert await desk.installation.history.functions_of([elsewhere]) == {}


async def test_counts_by_status(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.register(function("fulfil"))
    for status in ("completed", "completed", "failed"):
        await desk.start("order.placed")
        await desk.finish_all("shop/fulfil", status=status, body={})
    for _ in range(3):
        await desk.start("order.placed")
    [first, *_] = await desk.lease("shop/fulfil")
    await desk.owner().release(first.run, first.token, 1)
    counts = await desk.installation.history.counts()
    assert (counts.queued, counts.running, counts.waiting, counts.unfinished) == (1, 2, 0, 3)
    assert (counts.completed, counts.failed, counts.cancelled) == (2, 1, 0)
    monkeypatch.setattr("stepwell.platform.reading.counts.MOST_EXAMINED", 2)
    many = await desk.installation.history.counts()
    assert (many.queued, many.running, many.waiting, many.unfinished) == (None, 2, None, 3)


async def test_workers_are_listed_with_what_they_hold(desk: Desk) -> None:
    await desk.register(function("fulfil"))
    assert await desk.installation.history.workers() == []
    await desk.start("order.placed")
    await desk.lease("shop/fulfil")
    [worker] = await desk.installation.history.workers()
    assert (worker.id, worker.running) == ("w1", 1)
    assert worker.expires == desk.clock.now() + 15_000


class Listed:
    """An index over a list."""

    def __init__(self, entries: set[int]) -> None:
        self._entries = sorted(entries, reverse=True)

    async def below(self, bound: int | None, count: int) -> list[int]:
        return [entry for entry in self._entries if bound is None or entry < bound][:count]


@given(st.lists(st.sets(st.integers(0, 60)), max_size=5), st.none() | st.integers(0, 60), st.integers(1, 4))
async def test_merging_gives_what_sorting_everything_would(
    lists: list[set[int]], bound: int | None, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "MOST_AT_ONCE", at_once)
        patch.setattr(merging, "LEAST_AT_ONCE", at_once)
        found = [entry async for batch in newest([Listed(entries) for entries in lists], bound) for entry in batch]
    union = {entry for entries in lists for entry in entries}
    assert found == sorted((entry for entry in union if bound is None or entry < bound), reverse=True)
