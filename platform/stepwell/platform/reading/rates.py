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
FIELDS = 8
"""Numbers of a minute; see store/lua/include/counting.lua."""
_HOUR = struct.Struct(f">{60 * FIELDS}I")


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
    begin, end = first * per, max(end, first) * per
    hours = range(begin // Per.HOUR, -(-end // Per.HOUR))
    known = dict(zip(hours, await _hours(partitions, function or "", hours), strict=True))
    points = [Point(at, *_numbers(known[at // Per.HOUR], at, per)) for at in range(begin, end, per)]
    return Rates(begin, end, per, tuple(points))


def numbers_in(hour: bytes) -> tuple[int, ...]:
    """The numbers of the sixty minutes of an hour, one minute behind the other."""
    return _HOUR.unpack(hour.ljust(_HOUR.size, b"\0"))


async def _hours(partitions: Sequence[Partition], function: str, hours: Sequence[int]) -> list[tuple[int, ...] | None]:
    """The numbers of each hour, summed over the partitions; `None` where nothing has happened."""
    if not hours:
        return []
    keys = [f"{hour}:{function}" for hour in hours]
    return [_sum(found) for found in zip(*await asyncio.gather(*[_read(one, keys) for one in partitions]), strict=True)]


async def _read(partition: Partition, keys: Sequence[str]) -> list[bytes | None]:
    found: list[bytes | None] = await partition.read("MGET", *[partition.keys.name("k_counts", key) for key in keys])
    return found


def _sum(hours: Iterable[bytes | None]) -> tuple[int, ...] | None:
    known = [numbers_in(hour) for hour in hours if hour]
    return tuple(map(sum, zip(*known, strict=True))) if len(known) > 1 else known[0] if known else None


def _numbers(hour: tuple[int, ...] | None, at: int, per: Per) -> tuple[int, ...]:
    """Those of the minute, or of the hour, that begins `at`."""
    if hour is None:
        return (0,) * FIELDS
    if per is Per.HOUR:
        return tuple(sum(hour[field::FIELDS]) for field in range(FIELDS))
    minute = at % Per.HOUR // Per.MINUTE * FIELDS
    return hour[minute : minute + FIELDS]
