"""Several processes that share the tests begin with the slow ones, and have all of them."""

from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from tests.dealing import dealt


class Item:
    """What is looked at of a test."""

    def __init__(self, module: int, number: int, slow: bool) -> None:
        self.path = Path(f"test_{module}.py")
        self.number = number
        self.nodeid = f"{self.path}::{number}"
        self.keywords = {"slow"} if slow else set[str]()


def items(slow: dict[int, int]) -> list[Any]:
    """Ten modules of twenty tests; of some modules so many tests are slow."""
    return [Item(module, number, number < slow.get(module, 0)) for module in range(10) for number in range(20)]


def modules(tests: list[Any]) -> list[str]:
    return [item.path.name for item in tests if item.keywords]


@pytest.mark.parametrize("hands", [1, 2, 3, 5])
@pytest.mark.parametrize("slow", [{}, {1: 3, 4: 20, 7: 1}, dict.fromkeys(range(10), 20)], ids=["no", "some", "all"])
def test_none_is_left_out_and_none_is_there_twice(hands: int, slow: dict[int, int]) -> None:
    given = items(slow)
    found = dealt(cast("list[pytest.Item]", given), hands)
    assert sorted(map(id, found)) == sorted(map(id, given))


def test_each_part_begins_with_slow_tests_and_has_them_by_modules() -> None:
    found: list[Any] = dealt(items({1: 3, 4: 20, 7: 1, 8: 20}), 2)
    parts = [found[:100], found[100:]]
    assert [list(dict.fromkeys(modules(part))) for part in parts] == [
        ["test_1.py", "test_7.py"],
        ["test_4.py", "test_8.py"],
    ]
    for part in parts:
        assert not any(not one.keywords and other.keywords for one, other in pairwise(part)), "slow ones come first"


def test_slow_tests_of_a_module_that_share_nothing_are_dealt_one_by_one() -> None:
    given = items({4: 20})
    for item in given:
        item.keywords |= {"apart"}
    found: list[Any] = dealt(cast("list[pytest.Item]", given), 2)
    slow = [["slow" in one.keywords for one in part].count(True) for part in (found[:100], found[100:])]
    assert slow == [10, 10]
