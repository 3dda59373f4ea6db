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
_COLUMNS = 8
_HOUR = struct.Struct(f">{60 * _COLUMNS}I")


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
    read = _hours if per is Per.HOUR else _minutes
    numbers = await read(partitions, function or "", begin, max(end, first) * per)
    points = [Point(begin + index * per, *number) for index, number in enumerate(numbers)]
    return Rates(begin, max(end, first) * per, per, tuple(points))


async def _hours(partitions: Sequence[Partition], function: str, begin: int, end: int) -> list[tuple[int, ...]]:
    """The numbers of each hour of a range of full ones, summed over the partitions."""
    read = await _blocks(partitions, function, range(begin // Per.HOUR, end // Per.HOUR))
    return [_sum(map(_total, blocks)) for blocks in zip(*read, strict=True)]


async def _minutes(partitions: Sequence[Partition], function: str, begin: int, end: int) -> list[tuple[int, ...]]:
    """The numbers of each minute of a range, summed over the partitions."""
    hours = range(begin // Per.HOUR, -(-end // Per.HOUR))
    read = [_rows(blocks) for blocks in await _blocks(partitions, function, hours)]
    rows = [_sum(row) for row in zip(*read, strict=True)]
    start = hours.start * 60
    return rows[begin // Per.MINUTE - start : end // Per.MINUTE - start]


async def _blocks(partitions: Sequence[Partition], function: str, hours: range) -> list[list[bytes]]:
    """Of each partition, what it keeps of each hour: a row for each minute."""
    return list(await asyncio.gather(*[_read(partition, function, hours) for partition in partitions if hours]))


async def _read(partition: Partition, function: str, hours: range) -> list[bytes]:
    keys = [partition.keys.name("k_counts", f"{hour}:{function}") for hour in hours]
    found: list[bytes | None] = await partition.read("MGET", *keys)
    return [(hour or b"").ljust(_HOUR.size, b"\0") for hour in found]


def _rows(blocks: Iterable[bytes]) -> list[tuple[int, ...]]:
    return [row for block in blocks for row in _ROW.iter_unpack(block)]


def _total(block: bytes) -> tuple[int, ...]:
    # All numbers at once: a list of functions asks for more than a thousand hours.
    numbers = _HOUR.unpack(block)
    return tuple(sum(numbers[column::_COLUMNS]) for column in range(_COLUMNS))


def _sum(rows: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*rows, strict=True)))
