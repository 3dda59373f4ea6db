"""What a bulk job would do: to how many runs, and why those have failed."""

import asyncio
from dataclasses import dataclass

from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.history import History
from stepwell.platform.reading.errors import ErrorGroup, grouped
from stepwell.platform.reading.pages import MOST_ITEMS, Page
from stepwell.platform.reading.runs import RunSummary

MOST_SEARCHED = 2_000
"""Runs that are looked at, or a page more."""
SECONDS = 2.0
"""After which no further page is looked at."""
EXAMPLES = 10
MOST_ERRORS = 20
"""Kinds of errors that are told apart."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be done to runs as they are now.

    Args:
        order: with a `before`, so that runs created since are none of its.
        count: runs that were found.
        exact: whether those are all; else there are at least so many.
        searched: runs that were looked at: 2,000, or as many as there was time for.
        total: runs there are to look at.
        undecided: of those searched, where an expression needed too many steps.
        examples: the newest of those found.
        failed: those of the found and looked at that have failed with an error.
        errors: which, the 20 most frequent.
    """

    order: BulkOrder
    count: int
    exact: bool
    searched: int
    total: int
    undecided: int
    examples: tuple[RunSummary, ...]
    failed: int
    errors: tuple[ErrorGroup, ...]


async def preview_of(history: History, order: BulkOrder, now: int) -> Preview:
    """What an order would do that is given `now`, ms UTC. Raises `ExpressionError`."""
    until = BulkOrder(order.action, order.wanted.until(now), order.from_failed, order.rate)
    pages = await _pages(history, until)
    found = [item for page in pages for item in page.items]
    errors = grouped(item.run for item in found)
    undecided = sum(page.undecided for page in pages)
    whole, counted = pages[-1].next is None, until.filter.is_indexed
    return Preview(
        until,
        count=pages[0].total if counted and not whole else len(found),
        exact=(whole or counted) and not undecided,
        searched=sum(page.searched for page in pages),
        total=pages[0].total,
        undecided=undecided,
        examples=tuple(found[:EXAMPLES]),
        failed=sum(group.count for group in errors),
        errors=tuple(errors[:MOST_ERRORS]),
    )


async def _pages(history: History, order: BulkOrder) -> list[Page[RunSummary]]:
    wanted, clock = order.filter, asyncio.get_running_loop().time
    end = clock() + SECONDS
    pages = [await history.runs(wanted, limit=MOST_ITEMS)]
    while pages[-1].next is not None and sum(page.searched for page in pages) < MOST_SEARCHED and clock() < end:
        pages.append(await history.runs(wanted, cursor=pages[-1].next, limit=MOST_ITEMS))
    return pages
