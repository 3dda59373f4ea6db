"""Lanes: runs that share their constraint keys wait in one; its name can be taken apart again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.platform.flow.constraint import Constraint
from stepwell.platform.flow.key import MAX_VALUE, evaluate, word_of
from stepwell.platform.lanes import lane_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def keyed(*keys: str | None) -> list[Constraint]:
    return [Constraint(f"app/f#{index}", key, "1") for index, key in enumerate(keys)]


def test_without_constraints_a_function_has_one_lane() -> None:
    assert lane_of("app/f", [], {"data": {"customer": "c"}}) == "app/f"


def test_a_constraint_without_key_leaves_its_place_empty() -> None:
    assert lane_of("app/f", keyed(None), {"data": {}}) == "app/f|"
    assert lane_of("app/f", keyed(None, "event.data.customer"), {"data": {"customer": "c 1"}}) == "app/f||c%201"


@given(JSON, JSON)
def test_a_lane_is_a_word_with_a_part_for_each_constraint(one: Any, other: Any) -> None:
    lane = lane_of("app/f", keyed("event.data.a", None, "event.data.b"), {"data": {"a": one, "b": other}})
    function, *values = lane.split("|")
    assert (function, len(values), values[1]) == ("app/f", 3, "")
    assert lane.isascii()
    assert not set(lane) & set(" \t\r\n#!")
    assert all(len(value) <= MAX_VALUE + 21 for value in values)


@given(st.text(max_size=400), st.text(max_size=400))
def test_different_texts_are_different_values(one: str, other: str) -> None:
    first, second = (word_of(text) for text in (one, other))
    assert (first == second) == (one == other)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event.data.customer.id", "=7"),
        ("event.data.customer.none", "=null"),
        ("event.data.customer.id.deeper", "=null"),
        ("event.data.nobody.id", "=null"),
        ("event.data.flag", "=true"),
        ("event.data.empty", ""),
        ("event.name", "order.placed"),
    ],
)
def test_values_are_found_at_their_paths(path: str, value: str) -> None:
    event = {"name": "order.placed", "data": {"customer": {"id": 7}, "flag": True, "empty": ""}}
    assert word_of(evaluate(path, event)) == value


@pytest.mark.parametrize(("one", "other"), [(None, "null"), (1, "1"), (True, "true"), ([], "[]"), (1, True), ("=1", 1)])
def test_values_that_are_not_equal_are_counted_apart(one: Any, other: Any) -> None:
    assert word_of(one) != word_of(other)


def test_numbers_that_are_equal_are_counted_together() -> None:
    assert word_of(1) == word_of(1.0)
