"""In which order tests run when several processes share them, each of which begins with an equal part of the list."""

from collections.abc import Sequence
from itertools import groupby, islice

import pytest


def dealt(items: Sequence[pytest.Item], hands: int) -> list[pytest.Item]:
    """The tests, so that each part begins with slow ones; those of a module stay together, unless they are `apart`.

    So what a process that has no work left takes from the end of another's part is quick: at the end nobody waits for
    one long test, and what the slow tests of a module share is made once.

    Args:
        items: in the order of their files.
        hands: how many processes there are.
    """
    slow: list[list[pytest.Item]] = [[] for _ in range(hands)]
    for number, (_, module) in enumerate(groupby(filter(is_slow, items), together)):
        slow[number % hands].extend(module)
    quick = iter([item for item in items if not is_slow(item)])
    found: list[pytest.Item] = []
    for number, hand in enumerate(slow, 1):
        found += hand
        found += islice(quick, max(0, len(items) * number // hands - len(found)))
    return found


def together(item: pytest.Item) -> str:
    """Equal for tests that belong together: those of a module, but not those that share nothing with others of it."""
    return item.nodeid if "apart" in item.keywords else str(item.path)


def is_slow(item: pytest.Item) -> bool:
    """Whether it takes more than a few seconds."""
    return "slow" in item.keywords
