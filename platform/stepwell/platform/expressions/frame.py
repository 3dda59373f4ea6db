"""What one evaluation has at hand: the variables' values, and the steps it may still take."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from stepwell.platform.expressions.errors import OutOfBudget
from stepwell.platform.expressions.kinds import is_list, is_map

MAX_STEPS = 100_000
"""Steps of one evaluation. A step is an operation in a loop, or an element that is looked at: well under a µs."""

PIECE = 256
"""Characters that are compared, searched or copied in one step."""


class Frame:
    """The values of an evaluation and what is left of its budget.

    Only what can be repeated or depends on the size of a value spends steps; the rest is bounded by the length of the
    expression, so that the usual filter counts nothing at all.
    """

    __slots__ = ("left", "local", "values")

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.local: dict[int, Any] = {}
        self.left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Takes steps from the budget. Raises `OutOfBudget` when it has no more."""
        self.left -= steps
        if self.left < 0:
            raise OutOfBudget(
                f"it needs more than {MAX_STEPS:,} steps with these values; use smaller lists, or fewer loops in loops"
            )

    def spend_on_text(self, length: int) -> None:
        """Takes the steps of going through a text of `length` characters."""
        if length > PIECE:
            self.spend(length // PIECE)

    def spend_on_all(self, value: Any) -> None:
        """Takes the steps of going through a value to its last leaf, as often as each is referred to."""
        pending = [value]
        while pending:
            item = pending.pop()
            if type(item) is str:
                self.spend_on_text(len(item))
            elif is_list(item):
                self.spend(len(item))
                pending.extend(item)
            elif is_map(item):
                self.spend(len(item))
                pending.extend((*item, *item.values()))


Code: TypeAlias = Callable[[Frame], Any]
"""A piece of an expression, compiled."""
