"""What handlers and steps say: which lines are kept, of which step and attempt; and a replay says nothing twice."""
# ruff: noqa: T201

import asyncio
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from stepwell.functions import App, Context, InvalidValue, Retries, SyncContext
from stepwell.functions.logbook import LogLine, Progress
from stepwell.functions.replay import Completed, Failed
from stepwell.functions.replay.scribe import SCRIBE
from stepwell.platform.executor.prints import overheard
from tests.functions_journal import Driver

Said = tuple[str, int, str, str]


class MemoryLogbook:
    """Keeps everything."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.progress: list[Progress] = []

    def write(self, line: LogLine) -> None:
        self.lines.append(line)

    def advance(self, progress: Progress) -> None:
        self.progress.append(progress)

    @property
    def said(self) -> list[Said]:
        """Step, attempt, level and message of each line."""
        return [(line.place.step, line.place.attempt, line.level, line.message) for line in self.lines]


def driver_of(handler: Any, **options: Any) -> tuple[Driver, MemoryLogbook]:
    """Runs a handler, and what it says."""
    driver = Driver(App("shop").function(on="a", **options)(handler))
    book = MemoryLogbook()
    driver.logbook = lambda: book
    return driver, book


async def test_a_line_outside_steps_is_said_once_however_often_the_handler_is_called() -> None:
    async def handler(ctx: Context) -> None:
        ctx.log.info("begins")
        await ctx.step.run("one", lambda: ctx.log.info("in one"))
        ctx.log.info("rests")
        await ctx.step.sleep("nap", "1h")
        ctx.log.info("goes on")
        await ctx.step.sleep("again", "1h")
        ctx.log.info("ends")

    driver, book = driver_of(handler)
    assert isinstance(await driver.to_end(), Completed)
    assert len(driver.endings) == 3
    assert [(step, text) for step, _, _, text in book.said] == [
        ("", "begins"), ("one", "in one"), ("", "rests"), ("", "goes on"), ("", "ends"),
    ]  # fmt: skip


async def test_a_def_handler_says_the_same() -> None:
    def handler(ctx: SyncContext) -> None:
        ctx.log.info("begins")
        ctx.step.run("one", lambda: ctx.log.info("in one"))
        ctx.step.sleep("nap", "1h")
        ctx.log.info("ends")

    driver, book = driver_of(handler)
    assert isinstance(await driver.to_end(), Completed)
    assert [(step, text) for step, _, _, text in book.said] == [("", "begins"), ("one", "in one"), ("", "ends")]


async def test_each_attempt_says_its_lines() -> None:
    tries: list[int] = []

    async def handler(ctx: Context) -> None:
        def body() -> None:
            tries.append(1)
            ctx.log.warning("try")
            if len(tries) < 3:
                raise KeyError

        await ctx.step.run("one", body)
        ctx.log.error("behind")
        if len(tries) == 3:
            tries.append(0)
            raise KeyError

    driver, book = driver_of(handler, retries=Retries(3, jitter="none"))
    assert isinstance(await driver.to_end(), Completed)
    assert book.said == [
        *[("one", attempt, "warning", "try") for attempt in (1, 2, 3)],
        ("", 1, "error", "behind"),
        ("", 2, "error", "behind"),
    ]


async def test_what_is_unwound_says_nothing() -> None:
    async def handler(ctx: Context) -> None:
        try:
            await ctx.step.sleep("nap", "1h")
        finally:
            ctx.log.info("leaves")

    driver, book = driver_of(handler)
    assert isinstance(await driver.to_end(), Completed)
    assert [text for *_, text in book.said] == ["leaves"]


async def test_a_line_has_its_fields_and_its_exception(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(ctx: Context) -> None:
        ctx.log.info("%s of %d", "one", 2, extra={"order": "A-1", "message": "of my own"})
        ctx.log.log(35, "between")
        ctx.log.debug("not kept")
        try:
            raise KeyError("nope")
        except KeyError:
            ctx.log.exception("it failed")

    driver, book = driver_of(handler)
    with caplog.at_level(logging.INFO):
        assert isinstance(await driver.to_end(), Completed)
    first, between, last = book.lines
    assert (first.message, first.fields) == ("one of 2", {"order": "A-1", "message": "of my own"})
    assert (between.level, last.level) == ("level 35", "error")
    assert last.fields["exception"].endswith("KeyError: 'nope'")
    # What the process itself logs has the run and the fields as well, and the place of the call.
    record: Any = caplog.records[0]
    assert (record.getMessage(), record.order, record.run) == ("one of 2", "A-1", "run-1")
    assert record.filename == "test_functions_logs.py"


async def test_a_line_whose_arguments_do_not_fit_does_not_harm_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    async def handler(ctx: Context) -> None:
        ctx.log.info("%d", "text")

    driver, book = driver_of(handler)
    assert isinstance(await driver.to_end(), Completed)
    assert [text for *_, text in book.said] == ["%d ('text',)"]


async def test_progress_is_of_the_step_at_hand() -> None:
    async def handler(ctx: Context) -> None:
        ctx.progress(0)
        await ctx.step.run("one", lambda: ctx.progress(0.5, "half of it"))
        await ctx.step.sleep("nap", "1h")
        ctx.progress(1.0, "done")

    driver, book = driver_of(handler)
    assert isinstance(await driver.to_end(), Completed)
    assert [(one.place.step, one.value, one.text) for one in book.progress] == [
        ("", 0, ""), ("one", 0.5, "half of it"), ("", 1.0, "done"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text", "message"),
    [
        (40, "", "takes a number from 0 to 1, as in ctx.progress(0.4), not 40"),
        (-0.1, "", "not -0.1"),
        (float("nan"), "", "not nan"),
        (True, "", "not True"),
        ("half", "", "not 'half'"),
        (0.5, None, "is a str, not None"),
        (0.5, "x" * 257, "has 257 characters, and may have 256"),
    ],
)
async def test_a_progress_that_is_none_fails_the_run_and_says_why(value: Any, text: Any, message: str) -> None:
    async def handler(ctx: Context) -> None:
        with pytest.raises(InvalidValue, match="progress"):
            ctx.progress(value, text)
        ctx.progress(value, text)

    driver, book = driver_of(handler)
    ending = await driver.to_end()
    assert isinstance(ending, Failed)
    assert message.encode() in ending.error
    assert book.progress == []


class Screen:
    """A stdout that keeps what is written, and can be asked for more than that."""

    encoding = "screen"

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@contextmanager
def screen(monkeypatch: pytest.MonkeyPatch) -> Generator[Screen]:
    """A stdout that is overheard."""
    shown = Screen()
    monkeypatch.setattr(sys, "stdout", shown)
    with overheard():
        yield shown


async def test_what_is_printed_is_kept_and_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(ctx: Context) -> None:
        def in_a_thread() -> None:
            print("in", "a thread")

        print("one\ntwo\n\nthr", end="")
        print("ee")
        await ctx.step.run("thread", in_a_thread)
        await ctx.step.run("task", asyncio.to_thread, print, "deeper")
        print("no end", end="")

    driver, book = driver_of(handler)
    with screen(monkeypatch) as shown:
        print("of no run")
        assert isinstance(await driver.to_end(), Completed)
        assert sys.stdout.encoding == "screen"
    assert sys.stdout is shown
    assert [(step, text) for step, _, _, text in book.said] == [
        ("", "one"), ("", "two"), ("", "three"), ("thread", "in a thread"), ("task", "deeper"), ("", "no end"),
    ]  # fmt: skip
    assert {level for _, _, level, _ in book.said} == {"print"}
    assert shown.text == "of no run\none\ntwo\n\nthree\nin a thread\ndeeper\nno end"


async def test_what_is_printed_again_is_only_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(ctx: Context) -> None:
        print("begins")
        await ctx.step.sleep("nap", "1h")

    driver, book = driver_of(handler)
    with screen(monkeypatch) as shown:
        assert isinstance(await driver.to_end(), Completed)
    assert [text for *_, text in book.said] == ["begins"]
    assert shown.text == "begins\nbegins\n"


async def test_a_long_print_without_a_line_feed_is_not_gathered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(ctx: Context) -> None:
        for _ in range(10):
            print("." * 1_000, end="")

    driver, book = driver_of(handler)
    with screen(monkeypatch):
        assert isinstance(await driver.to_end(), Completed)
    assert [len(text) for *_, text in book.said] == [5_000, 5_000]


async def test_code_that_outlives_its_run_says_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Context] = []

    async def handler(ctx: Context) -> None:
        kept.append(ctx)
        seen.append(SCRIBE.get())

    seen: list[Any] = []
    driver, book = driver_of(handler)
    assert isinstance(await driver.to_end(), Completed)
    kept[0].log.info("too late")
    kept[0].progress(0.5)
    seen[0].print("too late\n")
    assert (book.lines, book.progress) == ([], [])


async def test_somebody_who_changes_stdout_meanwhile_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with screen(monkeypatch):
        with overheard():
            sys.stdout.writelines(["a\n", "b\n"])
        other = Screen()
        monkeypatch.setattr(sys, "stdout", other)
    assert sys.stdout is other
