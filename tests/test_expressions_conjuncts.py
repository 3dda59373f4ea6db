"""What an index can answer of an expression, and that it means the same as the whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stepwell.platform.expressions import Conjuncts, compile_expression, index_value

NAMES = frozenset({"async", "event"})


def split(text: str) -> Conjuncts:
    return compile_expression(text, NAMES).split("async")


def shape(text: str) -> tuple[list[tuple[tuple[str | int, ...], str]], str | None]:
    parts = split(text)
    return [(key.path, key.value.text) for key in parts.keys], parts.rest.text if parts.rest else None


@pytest.mark.parametrize(
    ("text", "keys", "rest"),
    [
        ("async.data.id == event.data.id", [(("data", "id"), "event.data.id")], None),
        ("event.data.id == async.data.id", [(("data", "id"), "event.data.id")], None),
        ("async.data.id == 'A-1'", [(("data", "id"), "'A-1'")], None),
        (
            "async.data.id == event.data.id && async.data.total > 10",
            [(("data", "id"), "event.data.id")],
            "async.data.total > 10",
        ),
        (
            "async.a > 1 && async.b == 2 && (async.c || event.d) && (event.e == async.f && async.g)",
            [(("b",), "2"), (("f",), "event.e")],
            "async.a > 1&&(async.c || event.d)&&async.g",
        ),
        ('async["a b"].c[0] == event.x + 1', [(("a b", "c", 0), "event.x + 1")], None),
        ("(async.a) == (event.x)", [(("a",), "(event.x)")], None),
        ("async.a == event.x.exists(async, async == 1)", [(("a",), "event.x.exists(async, async == 1)")], None),
        ("async.a == async.b", [], "async.a == async.b"),
        ("async.a == event.x + async.b", [], "async.a == event.x + async.b"),
        ("async == event", [], "async == event"),
        ("async.a != event.x", [], "async.a != event.x"),
        ("async.a[event.i] == 1", [], "async.a[event.i] == 1"),
        ("async.a[-1] == 1", [], "async.a[-1] == 1"),
        ("async.a == 1 || async.b == 1", [], "async.a == 1 || async.b == 1"),
        ("!(async.a == 1)", [], "!(async.a == 1)"),
        ("event.x == 1", [], "event.x == 1"),
        ("[1].all(async, async.a == 1)", [], "[1].all(async, async.a == 1)"),
    ],
)
def test_keys_and_rest(text: str, keys: list[tuple[tuple[str | int, ...], str]], rest: str | None) -> None:
    assert shape(text) == (keys, rest)


def test_the_parts_are_expressions_of_their_own() -> None:
    parts = split("async.data.id == event.data.id + 1 && event.data.ok && async.data.ok")
    [key] = parts.keys
    assert parts.rest is not None
    assert key.value.names_used == {"event"}
    assert key.value.evaluate({"event": {"data": {"id": 1}}}) == 2
    for part in (key.value, parts.rest):
        assert compile_expression(part.text, NAMES) == part


def test_the_rest_is_never_longer_than_an_expression_may_be() -> None:
    text = "&&".join(["event.a>1"] * 372)
    rest = split(text).rest
    assert rest is not None
    assert compile_expression(rest.text, NAMES).matches({"event": {"a": 2}})


SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, -0.0, 2**53 + 1, float(2**53), 0.5, "", "1", "a", "null"])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from("ab"), SCALARS, max_size=2))
EVENTS = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)
SIDES = [
    "async.a",
    "async.b.a",
    "async.c[0]",
    "event.a",
    "event.b.a",
    "event.missing",
    "1",
    "1.0",
    "'a'",
    "null",
    "1/0",
]
TERMS = st.one_of(
    st.tuples(st.sampled_from(SIDES), st.sampled_from(["==", "==", "!=", ">"]), st.sampled_from(SIDES)).map(" ".join),
    st.sampled_from(["true", "event.a", "async.a", "(event.a == 1 && async.a == 1)", "(async.a == 1 || event.a == 1)"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TERMS, min_size=1, max_size=4), EVENTS, EVENTS)
def test_all_keys_and_the_rest_are_the_whole(terms: list[str], event: Any, arrived: Any) -> None:
    whole = compile_expression(" && ".join(terms), NAMES)
    parts, values = whole.split("async"), {"event": event, "async": arrived}
    held = all(compile_expression(key_text(key.path, key.value.text), NAMES).matches(values) for key in parts.keys)
    assert (held and (parts.rest is None or parts.rest.matches(values))) is whole.matches(values)


def key_text(path: tuple[str | int, ...], value: str) -> str:
    return "async" + "".join(f"[{part!r}]" for part in path) + f" == ({value})"


# The words of an index

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.integers(-(2**60), 2**60).map(float),
    st.sampled_from([0, -0.0, 1, 1.0, 2**53, float(2**53), 2**53 + 1, 1e300]),
)
WORDS = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.text(max_size=3), NUMBERS.map(str), st.text("ab", min_size=99, max_size=103)
)


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS, st.booleans())
def test_two_words_are_the_same_exactly_when_the_values_are_equal(one: Any, other: Any, twice: bool) -> None:
    other = one if twice else other
    words = index_value(one), index_value(other)
    assume(None not in words)
    equal = compile_expression("event == async", NAMES).matches({"event": one, "async": other})
    assert (words[0] == words[1]) is equal


@pytest.mark.parametrize("value", [[], [1], {}, {"a": 1}, float("nan"), b"a"])
def test_what_an_index_cannot_hold_has_no_word(value: object) -> None:
    assert index_value(value) is None


def test_words_are_short() -> None:
    for value in ("a" * 100, "a" * 101, "é" * 1_000_000, 1e308, -1.7976931348623157e308):
        word = index_value(value)
        assert word is not None
        assert len(word) <= 102


def test_kinds_do_not_mix() -> None:
    words = [index_value(value) for value in (1, "1", True, "true", None, "null", "n:1", "")]
    assert len(set(words)) == len(words)
    assert index_value(1) == index_value(1.0)
    assert index_value(0) == index_value(-0.0)
