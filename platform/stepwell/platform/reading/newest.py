"""Merging several indexes that are each in order, newest first, a bounded number of entries at a time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

MOST_AT_ONCE = 200
LEAST_AT_ONCE = 16


class Index(Protocol[T]):
    """Entries in order; entries of different indexes can be compared."""

    async def below(self, bound: T | None, count: int) -> list[T]:
        """Up to `count` entries that are older than `bound`, newest first."""
        ...


async def newest(indexes: Sequence[Index[Any]], bound: T | None) -> AsyncGenerator[list[T]]:
    """Batches of the entries of all indexes that are older than `bound`, newest first, each entry once.

    An index that gave as many entries as it was asked for may have more behind them, so nothing older than its last
    one is known to be next: that is where a batch ends.
    """
    left: list[Index[Any]] = list(indexes)
    count = max(LEAST_AT_ONCE, MOST_AT_ONCE // max(1, len(left)))
    while left:
        pages: list[list[Any]] = await asyncio.gather(*[index.below(bound, count) for index in left])
        full = [page[-1] for page in pages if len(page) == count]
        ends = max(full) if full else None
        batch = sorted({entry for page in pages for entry in page if ends is None or entry >= ends}, reverse=True)
        if batch:
            yield batch
        if ends is None:
            return
        bound = ends
        left = [
            index for index, page in zip(left, pages, strict=True) if len(page) == count or (page and page[-1] < ends)
        ]
