"""Expressions mean what they mean in CEL, as Google's own CEL in C++ says.

What is different, and meant to be:

- a field or an element that is not there is null, and so is what is below null; CEL reports an error
- null counts as false where a condition is needed; CEL reports an error
- `<` and its like are false between different kinds; CEL reports an error
- ints and doubles can be calculated with each other, for JSON does not tell 5 from 5.0; CEL reports an error
- dividing a double by zero is an error, as it is for ints; CEL gives infinity
- whole doubles become strings without an exponent up to 2⁵³; CEL writes 1.2345678e+07
- there are no uint, no bytes and no types: `5u` is an int, and the keys of maps are strings

In all but the last three CEL gives no value at all. So the first test generates expressions whose kinds fit and wants
the same value or an error from both; the second generates any, and wants the same value whenever CEL gives one.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepwell.platform.expressions import EvaluationError, compile_expression
from stepwell.platform.expressions.kinds import is_list
from tests.expressions_writer import EVENTS, fitting, wild

cel: Any = pytest.importorskip("cel_expr_python.cel", reason="there is no CEL for this Python")

FAILED = "an error"


@pytest.fixture(scope="module")
def environment() -> Any:
    return cel.NewEnv(variables={"event": cel.Type.DYN})


def of_cel(environment: Any, text: str, event: dict[str, Any]) -> Any:
    # Unchecked: what a type checker refuses is known to be refused.
    value = environment.compile(text, disable_check=True).eval(data={"event": event})
    return FAILED if value.type() == cel.Type.ERROR else value.plain_value()


def of_ours(text: str, event: dict[str, Any]) -> Any:
    try:
        return compile_expression(text, {"event"}).evaluate({"event": event})
    except EvaluationError:
        return FAILED


def same(one: object, other: object) -> bool:
    if is_list(one) and is_list(other):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@settings(max_examples=150, deadline=None)
@given(text=fitting(), event=EVENTS)
def test_where_the_kinds_fit_it_is_the_same(environment: Any, text: str, event: dict[str, Any]) -> None:
    theirs = of_cel(environment, text, event)
    assert same(of_ours(text, event), theirs), theirs


@settings(max_examples=150, deadline=None)
@given(text=wild(), event=EVENTS)
def test_what_has_a_value_in_cel_has_the_same_value(environment: Any, text: str, event: dict[str, Any]) -> None:
    theirs = of_cel(environment, text, event)
    assert theirs == FAILED or same(of_ours(text, event), theirs), theirs


@pytest.mark.parametrize(
    "text",
    [
        'timestamp("2026-01-31T08:00:00+02:00")',
        'timestamp("2026-01-31T08:00:00.123456Z")',
        "timestamp(1700000000)",
        'timestamp("2026-01-31T08:00:00Z") + duration("1h30m")',
        'duration("90s") - duration("-1.5s") > duration("0")',
        'timestamp("2026-03-01T00:00:00Z") - timestamp("2026-02-01T00:00:00Z")',
        'string(timestamp("2026-01-31T08:00:00.5Z"))',
        'string(timestamp("0009-01-31T08:00:00Z"))',
        'string(duration("1h0.25s"))',
        'string(duration("-1.5s"))',
        'string(duration("100us"))',
        'int(timestamp("2026-01-31T08:00:00.9Z"))',
        'int(timestamp("1969-12-31T23:59:58Z"))',
        "int(-1.9)",
        'int("+5")',
        'double("1e5")',
        'double(".5")',
        "string(1e30)",
        "string(-2.5)",
        "string(100.0)",
        r"'\x41\101\u00e9\U0001F600\n\"\''",
        r"r'\d'",
        "0x1F - 010",
        "[1, 2, 3, 4].map(x, x > 2, x * x)",
        '{"b": 1, "a": 2}.exists(k, k == "a")',
        '{"a": [1, 2.5]} == {"a": [1.0, 2.5]}',
        "[1.0, 2][1.0]",
        "true > false",
        "1 < 2 == true",
        "1 + 2 * 3 - 4 / 2 % 3",
        "false ? 1 : true ? 2 : 3",
        "- -1 - -1",
        "1.5e3 + .5",
        "[1, 2,] == [1, 2] // trailing commas",
    ],
)
def test_single_expressions_are_the_same(environment: Any, text: str) -> None:
    assert same(of_ours(text, {}), of_cel(environment, text, {}))


ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        ".",
        "[ab]",
        "[^a]",
        r"\d",
        r"\W",
        r"\s",
        "[a-c0-9]",
        "^",
        "$",
        r"\.",
        "(?i:A)",
        "é",
        r"[\d_]",
        r"\x61",
    ]
)
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(pattern=PATTERNS, text=st.text("abA1. é\n_", max_size=8))
def test_a_pattern_is_found_where_re2_finds_it(environment: Any, pattern: str, text: str) -> None:
    expression = f"event.s.matches(r'{pattern}')"
    assert of_ours(expression, {"s": text}) is of_cel(environment, expression, {"s": text})
