"""Neither a hostile expression nor a hostile event keeps the server busy for long."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from stepwell.platform.expressions import ExpressionError, OutOfBudget, compile_expression

NAMES = frozenset({"event"})


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


EVENT = {
    "few": list(range(10)),
    "many": list(range(200_000)),
    "more": list(range(200_000)),
    "map": {f"k{number}": number for number in range(200_000)},
    "same": {f"k{number}": number for number in range(200_000)},
    "text": "a" * 500_000,
    "twin": "".join(["a" * 250_000, "a" * 250_000]),
    "deep": deep(150_000),
    "deeper": deep(150_000),
}


@pytest.mark.parametrize(
    "text",
    [
        "event.few.all(a, " * 6 + "true" + ")" * 6,
        "event.many == event.more",
        "[event.many] == [event.more]",
        "event.map == event.same",
        "event.deep == event.deeper",
        "event.few.all(x, event.few.all(y, event.few.all(z, event.few.all(a, event.few == event.few))))",
        "event.many.all(x, event.text == event.twin)",
        "event.many.all(x, event.text <= event.twin)",
        "event.many.all(x, !event.text.contains('b'))",
        "event.many.all(x, event.text.startsWith(event.twin))",
        "event.many.all(x, event.twin.lowerAscii() != 'b')",
        "event.many.all(x, event[event.text] == null)",
        "event.many.all(x, !event.text.matches('b'))",
        "event.many.exists(x, false) || true",
        "200000 in event.many",
        "event.many + []",
        "[event.text].map(s, s + s)" + ".map(s, s + s)" * 30,
        "[1].map(x, [x, x])" + ".map(x, [x, x])" * 50,
        "event.few.map(x, event.many)",
        "event.few.map(x, event.few.map(y, event.text + 'a'))",
        "event.text.matches('" + "a?" * 200 + "a" * 200 + "$')",
        "event.many.filter(x, x >= 0)",
    ],
)
@pytest.mark.timeout(5)
def test_what_takes_too_long_is_stopped(text: str) -> None:
    with pytest.raises(OutOfBudget, match="more than 100,000 steps"):
        compile_expression(text, NAMES).evaluate({"event": EVENT})


def test_what_is_decided_before_costs_nothing() -> None:
    assert compile_expression("true || event.many.exists(x, false)", NAMES).matches({"event": EVENT})


def test_a_budget_is_for_one_evaluation() -> None:
    expression = compile_expression("event.few.all(x, event.few.all(y, event.few.all(z, x + y + z >= 0)))", NAMES)
    assert all(expression.matches({"event": EVENT}) for _ in range(20))


def test_the_size_of_what_it_does_not_look_at_does_not_matter() -> None:
    text = "event.few.all(x, x < 10) && event.text.startsWith('aaa') && event.map.k7 == 7 && size(event.many) == 200000"
    assert compile_expression(text, NAMES).matches({"event": EVENT})
    assert compile_expression("event.many", NAMES).evaluate({"event": EVENT}) is EVENT["many"]


@pytest.mark.parametrize(
    "text",
    [
        "(" * 65 + "1" + ")" * 65,
        "!" * 65 + "true",
        "1" + " + 1" * 64,
        "event" + ".a" * 64,
        "event" + "[0]" * 64,
        "[" * 65 + "]" * 65,
        "event.a ? " * 400,
        "true ? 1 : " * 65 + "1",
        "size(" * 65,
        "event.a.all(x, " * 65,
        "1||1&&1==1+1*(" * 20,
    ],
)
def test_what_is_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="nested more than 64 levels deep"):
        compile_expression(text, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 63 + "1" + ")" * 63,
        "1" + " + 1" * 62,
        "event" + ".a" * 62,
        "[1, 2]" + ".map(x, x)" * 60,
        "true" + " && true" * 500,
        "event.a == 'x'" + " || event.a == 'x'" * 200,
        "1||1&&1==1+1*(" * 10 + "1" + ")" * 10,
        "[1].all(a, " * 31 + "true" + ")" * 31,
    ],
)
def test_what_is_allowed_needs_little_of_the_stack(text: str) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            compile_expression(text, NAMES).matches({"event": EVENT})
        except BaseException as error:
            failed.append(error)

    # In a thread of its own, whose stack is empty; the server's own calls take up to two hundred.
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(700)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(before)
    assert not failed


def test_an_expression_has_a_longest_length() -> None:
    longest = "'" + "a" * 4_094 + "'"
    assert compile_expression(longest, NAMES).evaluate({}) == "a" * 4_094
    with pytest.raises(ExpressionError, match=r"has 4,097 characters; the limit is 4,096"):
        compile_expression(longest + " ", NAMES)
