"""What is recorded of an error beside itself: the exceptions it has come from, bounded."""

import linecache
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from stepwell.functions import App, Context, StepFailed
from stepwell.functions.replay import Failed
from stepwell.functions.replay.failures import failure
from stepwell.functions.replay.frames import traced
from tests.functions_journal import Driver


def recorded(work: Callable[[], object]) -> dict[str, Any]:
    """What is recorded of what a call raises."""
    try:
        work()
    except BaseException as raised:
        found: dict[str, Any] = orjson.loads(failure(raised))
        return found
    raise AssertionError("nothing was raised")


def told(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Relation, type and message of the causes."""
    return [(cause["relation"], cause["type"], cause["message"]) for cause in found.get("causes", [])]


def parse() -> None:
    int("x")


def wrap() -> None:
    try:
        parse()
    except ValueError as error:
        raise KeyError("wrapped") from error


def stumble() -> None:
    try:
        wrap()
    except KeyError:
        raise RuntimeError("stumbled")  # noqa: B904


def hide() -> None:
    try:
        wrap()
    except KeyError:
        raise RuntimeError("hidden") from None


def test_the_causes_of_an_error_are_recorded_the_nearest_first() -> None:
    found = recorded(stumble)
    assert (found["type"], found["message"]) == ("RuntimeError", "stumbled")
    assert told(found) == [
        ("context", "KeyError", "'wrapped'"),
        ("cause", "ValueError", "invalid literal for int() with base 10: 'x'"),
    ]
    frames = [frame["function"] for frame in found["causes"][1]["traceback"]]
    assert frames == ["wrap", "parse"]


def test_an_error_of_its_own_has_none() -> None:
    assert set(recorded(parse)) == {"type", "message", "traceback"}
    assert "causes" not in recorded(hide)


def test_a_frame_has_its_line_of_source() -> None:
    frame = recorded(parse)["traceback"][-1]
    assert (frame["function"], frame["source"]) == ("parse", 'int("x")')
    assert linecache.getline(frame["file"], frame["line"]).strip() == 'int("x")'


def test_code_that_is_in_no_file_has_no_source() -> None:
    code = compile("def f():\n    raise ValueError('x')\n", "<made up>", "exec")
    scope: dict[str, Any] = {}
    exec(code, scope)
    frame = recorded(scope["f"])["traceback"][-1]
    assert frame == {"file": "<made up>", "line": 2, "function": "f"}


def test_the_members_of_a_group_are_causes() -> None:
    def raise_group() -> None:
        try:
            parse()
        except ValueError as error:
            raise ExceptionGroup("both", [error, ExceptionGroup("inner", [KeyError("k")])]) from OSError("o")

    assert told(recorded(raise_group)) == [
        ("member", "ValueError", "invalid literal for int() with base 10: 'x'"),
        ("member", "ExceptionGroup", "inner (1 sub-exception)"),
        ("member", "KeyError", "'k'"),
        ("cause", "OSError", "o"),
    ]


def test_a_chain_that_goes_in_a_circle_ends() -> None:
    def go_round() -> None:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    assert told(recorded(go_round)) == [("cause", "ValueError", "second")]


def chain(length: int, text: str = "") -> None:
    if length == 0:
        raise ValueError(f"0{text}")
    try:
        chain(length - 1, text)
    except ValueError as error:
        raise ValueError(f"{length}{text}") from error


def test_at_most_eight_are_recorded_and_the_rest_counted() -> None:
    found = recorded(lambda: chain(20))
    assert [message for _, _, message in told(found)] == [str(number) for number in range(19, 11, -1)]
    assert found["causes_cut"] == 12
    assert "causes_cut" not in recorded(lambda: chain(8))


@pytest.mark.parametrize("text", ["m" * 100_000, "\U0001f600" * 100_000])
def test_all_of_it_is_bounded_and_each_cause_has_a_part(text: str) -> None:
    def deep(depth: int) -> None:
        if depth:
            deep(depth - 1)
        else:
            chain(8, text)

    found = recorded(lambda: deep(300))
    assert len(orjson.dumps(found)) < 192 << 10
    assert len(found["traceback"]) == 64
    assert found["cut"] > 200
    sizes = [len(cause["message"]) for cause in found["causes"]]
    assert len(sizes) == 8
    assert min(sizes) > 1_000
    assert all("more characters)" in cause["message"] for cause in found["causes"])
    assert all(cause["traceback"] or cause["cut"] for cause in found["causes"])


def test_frames_that_have_no_room_are_counted() -> None:
    with pytest.raises(KeyError) as raised:
        wrap()
    assert traced(raised.value, 64, 0) == {"traceback": [], "cut": 2}
    assert [frame["function"] for frame in traced(raised.value, 1, 9_999)["traceback"]] == ["wrap"]


def test_a_cause_whose_text_cannot_be_read_says_so() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    def break_down() -> None:
        raise KeyError("k") from Broken()

    assert told(recorded(break_down)) == [("cause", "Broken", "(its text cannot be read: ValueError)")]


async def failed(handler: Any) -> dict[str, Any]:
    """What is recorded of the error that a function without retries has failed with."""
    app = App("app")
    ending = await Driver(app.function(on="x", retries=0)(handler)).to_end()
    assert isinstance(ending, Failed)
    found: dict[str, Any] = orjson.loads(ending.error)
    return found


async def test_a_step_that_fails_has_no_causes_that_are_ours() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    async def handler(ctx: Context) -> None:
        await ctx.step.run("broken", broken)

    found = await failed(handler)
    assert found["type"] == "StepFailed"
    assert "causes" not in found


async def test_an_error_that_a_handler_raises_from_a_failed_step_names_it() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    async def handler(ctx: Context) -> None:
        try:
            await ctx.step.run("broken", broken)
        except StepFailed as error:
            raise RuntimeError("given up") from error

    found = await failed(handler)
    assert [(cause["relation"], cause["type"]) for cause in found["causes"]] == [("cause", "StepFailed")]
