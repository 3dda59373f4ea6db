"""Logs and progress of runs, from the handler to those who read them."""

import asyncio
from typing import Any

import pytest

from stepwell.functions import App, Context, SyncContext
from stepwell.functions.lines import LONGEST_LINE, line_json
from stepwell.functions.logbook import LogLine, Place
from stepwell.platform.codec import decode
from stepwell.platform.engine.logs import Logs
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.executor import logbook
from stepwell.platform.reading.logs import KeptLine, KeptProgress, LogPage, log_of, progress_of
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness


async def page_of(platform: Harness, run: str, after: int = 0, limit: int = 1_000) -> LogPage:
    page = await log_of(platform.home_of(run), run, after, limit)
    assert page is not None
    return page


async def lines_of(platform: Harness, run: str, count: int) -> list[KeptLine]:
    """The lines of a run, as soon as there are so many."""

    async def there() -> bool:
        return len((await page_of(platform, run)).lines) >= count

    await platform.eventually(there)
    return list((await page_of(platform, run)).lines)


async def test_what_a_run_says_is_kept_with_its_step_and_attempt(store: Store) -> None:
    app = App("shop")

    @app.function(on="go", retries=0)
    async def work(ctx: Context[Any]) -> None:
        ctx.log.info("begins", extra={"order": "A-1"})
        await ctx.step.run("charge", lambda: ctx.log.warning("charging"))
        await ctx.step.sleep("nap", "1h")
        ctx.progress(0.75, "three of four")
        ctx.log.info("ends")

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        assert [line.message for line in await lines_of(platform, run, 2)] == ["begins", "charging"]
        await platform.advance(3_600_000)
        await platform.until(run, Status.COMPLETED)
        first, second, third = await lines_of(platform, run, 3)
        now = platform.clock.now()
        assert first == KeptLine(1, now - 3_600_000, "info", "begins", {"order": "A-1"}, None, 1)
        assert (second.step, second.level, second.attempt) == ("charge", "warning", 1)
        assert third == KeptLine(3, now, "info", "ends", {}, None, 1)
        assert KeptProgress.parse((await platform.run(run)).progress) == KeptProgress(
            now, 0.75, "three of four", None, 1
        )
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []


async def test_the_newest_lines_are_kept_and_it_is_said_how_many_are_not(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    def work(ctx: SyncContext[Any]) -> None:
        for number in range(1_234):
            ctx.log.info("line %d", number)

    async with harness(store, app, settings=Settings(log_lines=300)) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.COMPLETED)

        async def all_there() -> bool:
            page = await page_of(platform, run)
            return page.dropped + len(page.lines) == 1_234

        await platform.eventually(all_there)
        page = await page_of(platform, run)
        assert (page.dropped, page.next) == (934, None)
        assert [line.message for line in page.lines] == [f"line {number}" for number in range(934, 1_234)]
        assert [line.number for line in page.lines] == list(range(935, 1_235))
        part = await page_of(platform, run, after=1_000, limit=10)
        assert ([line.number for line in part.lines], part.next) == (list(range(1_001, 1_011)), 1_010)


async def test_a_run_that_says_nothing_makes_no_call(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        await ctx.step.run("one", lambda: None)

    async def refused(_: Any) -> None:
        raise AssertionError("nothing was said")

    monkeypatch.setattr(logbook.Book, "send", refused)
    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.COMPLETED)
        assert not {b"lg", b"p"} & (await platform.header(run)).keys()


async def test_many_lines_travel_in_few_calls_and_progress_at_its_pace(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, calls, keep = App("shop"), list[Any](), Logs.keep

    async def counted(logs: Logs, run: str, token: str, seq: int, lines: bytes, **more: Any) -> None:
        calls.append({"lines": lines, **more})
        await keep(logs, run, token, seq, lines, **more)

    monkeypatch.setattr(Logs, "keep", counted)

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        async def body() -> None:
            for number in range(100):
                ctx.log.info("line %d", number)
                ctx.progress(number / 100)
            await asyncio.sleep(3.5 * logbook.GATHERING)
            for number in range(100):
                ctx.progress(number / 100)

        await ctx.step.run("copy", body)
        ctx.progress(1)

    async with harness(store, app) as platform:
        assert platform.worker
        run = await platform.start("go")
        await platform.until(run, Status.COMPLETED)
        assert len(await lines_of(platform, run, 100)) == 100
        await platform.worker.hear_out(5)
        steps = await progress_of(platform.home_of(run), run)
        assert {key: one.value for key, one in steps.items()} == {"copy": 0.99}
        assert decode((await platform.run(run)).progress)["value"] == 1
    assert sum(bool(call["lines"]) for call in calls) <= 3
    assert 2 <= sum(bool(call["progress"]) for call in calls) <= 4


async def test_a_worker_that_lost_its_run_writes_nothing_into_it(store: Store) -> None:
    app = App("shop")
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        async def body() -> None:
            begun.set()
            await go_on.wait()
            ctx.log.info("from beyond")
            ctx.progress(0.5)

        await ctx.step.run("one", body)

    async with harness(store, app) as platform:
        assert platform.worker
        run = await platform.start("go")
        await begun.wait()
        desks = platform.worker.desks
        await platform.reap(platform.worker.session.id, executing=True)
        go_on.set()
        await platform.eventually_idle()
        await asyncio.sleep(2 * logbook.GATHERING)
        for desk in desks:
            await desk.settle(5)
        assert (await page_of(platform, run)).lines == ()
        assert (await platform.run(run)).progress == b""


async def test_no_lines_are_kept_when_none_shall_be(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        ctx.log.info("one")
        ctx.progress(0.5)

    async with harness(store, app, settings=Settings(log_lines=0)) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.COMPLETED)

        async def there() -> bool:
            return bool((await platform.run(run)).progress)

        await platform.eventually(there)
        assert await page_of(platform, run) == LogPage((), None, 0)


class Odd:
    """Does not want to be looked at."""

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("message", "fields", "kept"),
    [
        ("\ud800 and \n more", {}, {}),
        ("x" * 100_000, {}, {}),
        ("é" * 100_000, {"a": "é" * 100_000}, {}),
        ("m", {"n": float("nan"), "b": b"\xff", "s": {1, 2}}, {}),
        ("m", {"odd": Odd()}, {"odd": "<Odd>"}),
        ("m", {f"field {n}": "y" * 1_000 for n in range(100)}, {}),
        ("m", {"deep": []}, {}),
        ("\0" * 5_000, {"zeros": "\0" * 5_000}, {}),
    ],
)
def test_whatever_is_said_is_a_line_of_bounded_size(message: str, fields: dict[str, Any], kept: Any) -> None:
    if fields.get("deep") == []:
        fields["deep"].append(fields["deep"])  # it has itself in it
    text = line_json(LogLine(Place("", 1), "info", message, fields), 5)
    assert len(text) <= LONGEST_LINE
    assert b"\n" not in text
    line = KeptLine.parse(1, text)
    assert line.at == 5
    assert kept.items() <= line.fields.items()


@pytest.mark.parametrize("failures", [2, 1_000])
async def test_what_could_not_be_sent_is_tried_again_but_not_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    app, tries, keep = App("shop"), list[str](), Logs.keep

    async def failing(logs: Logs, run: str, *args: Any, **more: Any) -> None:
        tries.append(run)
        if len(tries) <= failures:
            raise StoreUnavailable("here", "away")
        await keep(logs, run, *args, **more)

    monkeypatch.setattr(Logs, "keep", failing)
    monkeypatch.setattr(logbook, "PAUSE", 0.01)

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> None:
        ctx.log.info("one")
        ctx.progress(0.5)

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.COMPLETED)
        if failures == 2:
            [line] = await lines_of(platform, run, 1)
            assert (line.number, line.message, len(tries)) == (1, "one", 3)
        else:

            async def tried() -> bool:
                return len(tries) == logbook.TRIES

            await platform.eventually(tried)
            await asyncio.sleep(0.05)
            assert len(tries) == logbook.TRIES
            assert (await page_of(platform, run)).lines == ()
