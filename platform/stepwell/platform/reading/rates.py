"""How much has happened in each minute or hour, by the counters that the engine's own transitions keep."""

import asyncio
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from stepwell.platform.engine.partition import Partition

KEPT_OF_ALL = 7 * 86_400_000
KEPT_OF_FUNCTION = 86_400_000
"""For how long, in ms."""
MOST_POINTS = 1_440
_ROW = struct.Struct(">8I")
"""A minute; see store/lua/include/counting.lua."""


class Per(IntEnum):
    """The length of a point, in ms."""

    MINUTE = 60_000
    HOUR = 3_600_000


class LongRange(ValueError):
    """A range of more points than are told at once."""

    def __init__(self, points: int) -> None:
        super().__init__(f"the range has {points:,} points, and at most {MOST_POINTS:,} are told at once")


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in the minute, or hour, that begins `at`, ms UTC.

    Args:
        at: its beginning.
        events: accepted; of no function.
        created: runs.
        started: runs; when they were leased for the first time.
        completed: runs.
        failed: runs.
        cancelled: runs.
        retried: attempts, of steps and of functions, that failed and are made again.
        failed_steps: steps that failed for good.
    """

    at: int
    events: int
    created: int
    started: int
    completed: int
    failed: int
    cancelled: int
    retried: int
    failed_steps: int


@dataclass(frozen=True, slots=True)
class Rates:
    """A point for each `per` from `after` to before `before`, oldest first; none is left out.

    `after` is not before what is still kept of it; both are full minutes, or hours.
    """

    after: int
    before: int
    per: Per
    points: tuple[Point, ...]


async def rates_of(
    partitions: Sequence[Partition], function: str | None, after: int, before: int, per: Per, now: int
) -> Rates:
    """What happened in a range of time.

    Args:
        partitions: all there are.
        function: as `app/function`; `None` for all.
        after: its beginning, ms UTC, which is rounded down.
        before: its end, which is rounded up.
        per: the length of a point.
        now: ms UTC.

    Raises `LongRange` when there would be too many points.
    """
    kept = now - (KEPT_OF_ALL if function is None else KEPT_OF_FUNCTION)
    first, end = max(after, kept) // per, -(-min(before, now + 1) // per)
    if end - first > MOST_POINTS:
        raise LongRange(end - first)
    begin = first * per
    minutes = await _minutes(partitions, function or "", begin, max(end, first) * per)
    each = per // Per.MINUTE
    parts = [minutes[index : index + each] for index in range(0, len(minutes), each)]
    points = [Point(begin + index * per, *_sum(part)) for index, part in enumerate(parts)]
    return Rates(begin, max(end, first) * per, per, tuple(points))


async def _minutes(partitions: Sequence[Partition], function: str, begin: int, end: int) -> list[tuple[int, ...]]:
    """The numbers of each minute of a range, summed over the partitions."""
    hours = range(begin // Per.HOUR, -(-end // Per.HOUR))
    read = await asyncio.gather(*[_read(partition, function, hours) for partition in partitions if hours])
    rows = [_sum(row) for row in zip(*read, strict=True)]
    start = hours.start * 60
    return rows[begin // Per.MINUTE - start : end // Per.MINUTE - start]


async def _read(partition: Partition, function: str, hours: Iterable[int]) -> list[tuple[int, ...]]:
    keys = [partition.keys.name("k_counts", f"{hour}:{function}") for hour in hours]
    found: list[bytes | None] = await partition.read("MGET", *keys)
    return [row for hour in found for row in _ROW.iter_unpack((hour or b"").ljust(60 * _ROW.size, b"\0"))]


def _sum(rows: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*rows, strict=True)))
