"""How the pages say things: times, sizes, JSON, and why a run waits."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.dashboard.run.timeline import LEAST, Axis
from stepwell.dashboard.run.waiting import MOST_LINES, Reason, waiting
from stepwell.dashboard.wording.durations import ago, duration, elapsed, mark, until
from stepwell.dashboard.wording.moments import past
from stepwell.dashboard.wording.payloads import INLINE, laid_out, payload
from stepwell.dashboard.wording.sizes import size
from stepwell.platform.reading.pending import Pending, SoughtEvent
from stepwell.platform.reading.wait import Wait

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)

PAID = SoughtEvent("paid", "async.data.n > 1", "")
INVOKED = "Waiting for a run of shop/f, invoked by call"
ERROR = orjson.dumps({"type": "Timeout", "message": "no answer", "traceback": []})


@pytest.mark.parametrize(
    ("ms", "measured", "going_on"),
    [
        (-5, "0 ms", "0 s"),
        (0, "0 ms", "0 s"),
        (999, "999 ms", "0 s"),
        (4_299, "4.2 s", "4 s"),
        (192_000, "3 m 12 s", "3 m 12 s"),
        (7_500_000, "2 h 5 m", "2 h 5 m"),
        (273_600_000, "3 d 4 h", "3 d 4 h"),
    ],
)
def test_a_duration_has_two_units_at_most(ms: int, measured: str, going_on: str) -> None:
    assert (duration(ms), elapsed(ms)) == (measured, going_on)


def test_what_is_ahead_is_never_said_to_be_due_too_early() -> None:
    assert [until(ms) for ms in (-1, 0, 1, 1_000, 1_001)] == ["now", "now", "in 1 s", "in 1 s", "in 2 s"]


def test_what_is_past_has_one_unit() -> None:
    assert [ago(ms) for ms in (-1, 999, 59_999, 61_000, 3 * 86_400_000)] == [
        "now",
        "now",
        "59 s ago",
        "1 m ago",
        "3 d ago",
    ]


def test_marks_of_an_axis_are_short() -> None:
    assert [mark(ms) for ms in (200, 5_000, 60_000, 90_000, 7_200_000)] == ["200 ms", "5 s", "1 m", "1 m 30 s", "2 h"]


def test_a_moment_beyond_the_calendar_is_its_last() -> None:
    assert past(1 << 60, 0).absolute == "9999-12-31 23:59:59 UTC"


def test_sizes() -> None:
    assert [size(count) for count in (0, 1_023, 1_536, 3 << 20)] == ["0 B", "1023 B", "1.5 KiB", "3.0 MiB"]


@given(JSON)
def test_json_is_laid_out_as_the_json_library_does(value: Any) -> None:
    text = "".join(token.text for token in laid_out(orjson.dumps(value).decode()))
    assert text == orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def test_json_keeps_digits_that_a_parser_would_lose() -> None:
    tokens = list(laid_out('{"total":12345678901234567890.10,"total":1e400}'))
    assert [token.text for token in tokens if token.kind == "value"] == ["12345678901234567890.10", "1e400"]


def test_a_payload_is_on_the_page_as_long_as_there_is_room() -> None:
    fits, large = b'"%s"' % (b"x" * (INLINE - 2)), b'"%s"' % (b"x" * (INLINE - 1))
    assert payload(fits, "/").tokens is not None
    assert payload(large, "/").tokens is None
    assert payload(fits, "/", room=INLINE - 1).tokens is None


def test_a_bar_is_wide_enough_to_be_seen_and_stays_on_the_axis() -> None:
    axis = Axis(0, 1_000_000)
    assert axis.bar(0, 1, "completed").width == LEAST
    last = axis.bar(1_000_000, 2_000_000, "completed")
    assert last.x + last.width == 100


@pytest.mark.parametrize("length", [1, 999, 5_000, 3_600_000, 400 * 86_400_000])
def test_an_axis_has_a_few_round_marks(length: int) -> None:
    marks = Axis(0, length).marks()
    assert marks[0].label == "0"
    assert 1 <= len(marks) <= 6


def said(reason: Reason) -> str:
    when = f" {reason.when.text}" if reason.when else ""
    return f"{reason.text} {reason.step or ''}{reason.then}{when}".replace("  ", " ")


@pytest.mark.parametrize(
    ("wait", "line"),
    [
        (Wait("sleep", "rest", 60_000), "Sleeping in rest, wakes in 1 m 0 s"),
        (Wait("retry", "charge", 8_000, 2, ERROR), "2 failed attempts of charge, tries again in 8 s"),
        (Wait("retry", None, 8_000, 1), "1 failed attempt of the function, runs again in 8 s"),
        (Wait("start", until=60_000), "Its event asks for a later start, begins in 1 m 0 s"),
        (Wait("concurrency", key="u-42", held=5, limit=5), "Every slot of the key “u-42” is taken, 5 of 5 "),
        (
            Wait("throttle", key="u-42", until=8_000),
            "As many runs of the key “u-42” have begun as its throttle lets, the next may in 8 s",
        ),
        (Wait("batch", until=8_000, events=2), "Gathering 2 events so far, begins at the latest in 8 s"),
        (
            Wait("debounce", until=8_000),
            "Begins once no other event of its key has come for a while, at the earliest in 8 s",
        ),
        (Wait("paused", mode="keep"), "Its function is paused "),
        (Wait("wait_for_event", "ok", what=Pending((PAID,))), "Waiting for the event “paid” if async.data.n > 1 in ok"),
        (
            Wait("wait_for_any", "ok", 60_000, what=Pending((SoughtEvent("a", "", "x"), PAID))),
            "Waiting for the event “a” or “paid” if async.data.n > 1 in ok, at the longest in 1 m 0 s",
        ),
        (Wait("wait_for_any", "ok", 60_000), "Waiting for a time in ok, at the longest in 1 m 0 s"),
        (Wait("invoke", "call", what=Pending(child="R", function="shop/f")), INVOKED),
        (Wait("invoke", "call"), "Waiting (invoke) in call"),
        (Wait("queue", ahead=3), "Behind 3 runs of its lane "),
        (Wait("queue", ahead=0), "Next of its lane, until a worker has room "),
    ],
)
def test_the_line_says_why_a_run_waits(wait: Wait, line: str) -> None:
    found = waiting([wait], 0)
    assert found
    assert said(found.reasons[0]) == line


def test_a_retry_shows_what_went_wrong() -> None:
    found = waiting([Wait("retry", "charge", 8_000, 2, ERROR)], 0)
    assert found
    assert found.reasons[0].error == "Timeout: no answer"


def test_of_many_waits_the_next_few_are_shown() -> None:
    found = waiting([Wait("sleep", f"s{number}", number) for number in range(1, 101)], 0)
    assert found
    assert (len(found.reasons), found.more) == (MOST_LINES, 100 - MOST_LINES)
    assert waiting([], 0) is None
