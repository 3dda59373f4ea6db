"""Pages of lists, and the cursors that continue them."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_ITEMS = 100
MOST_EXAMINED = 2_000
"""Entries looked at for one page; what a filter leaves over may then be less than was asked for, or nothing."""


class BadCursor(ValueError):
    """A cursor that no page was continued with."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"cursor {cursor[:80]!r} is not one; take it as it is from `next` of the page before")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list. `next` continues it and is `None` at the end, and only there; a page before it may be empty."""

    items: tuple[T, ...]
    next: str | None
