"""What the lanes of a function are made of: what its ready runs may have to wait for, and by which key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepwell.platform.flow.key import value_of, word_of


@dataclass(frozen=True, slots=True)
class Constraint:
    """Something that runs of one key are behind together.

    Args:
        name: of all its keys; that of a shared one does not begin with the function.
        key: an expression, or `None` when all runs are counted alike.
        rule: how it is kept: see `k_limits` in store/keys.py; "" when it only keeps lanes apart.
    """

    name: str
    key: str | None
    rule: str

    @property
    def shared(self) -> bool:
        """Whether functions share it."""
        return "#" not in self.name

    def word(self, function: str, event: Mapping[str, Any]) -> str:
        """Its part of the name of a lane."""
        return "" if self.key is None else word_of(value_of(function, self.name, self.key, event))
