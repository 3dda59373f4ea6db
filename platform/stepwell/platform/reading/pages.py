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
    """Part of a list. `next` continues it and is `None` at the end, and only there; a page before it may be empty.

    Args:
        items: what was found.
        next: cursor of the following page.
        searched: entries that were looked at for this page: up to its last item, or up to where the next begins.
        total: entries that would be looked at from the newest to the oldest, for all pages.
        undecided: those of `searched` of which an expression could not tell whether it is true, for want of steps.
    """

    items: tuple[T, ...]
    next: str | None
    searched: int = 0
    total: int = 0
    undecided: int = 0
