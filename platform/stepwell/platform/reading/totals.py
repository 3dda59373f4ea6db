"""What has happened of several functions in one range of time, each as one sum: cheaper than the points of each."""

import asyncio
from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.rates import FIELDS, Per, Point, numbers_in


async def totals_of(
    partitions: Sequence[Partition], functions: Sequence[str], after: int, before: int
) -> dict[str, Point]:
    """The sum of each of some functions over all minutes from that of `after` to before `before`, ms UTC."""
    first, end = after // Per.MINUTE, -(-before // Per.MINUTE)
    hours = range(first // 60, -(-end // 60))
    keys = [f"{hour}:{function}" for function in functions for hour in hours]
    found = await asyncio.gather(*[_counts(partition, keys) for partition in partitions if keys])
    sums = {function: [0] * FIELDS for function in functions}
    for counts in found:
        for at, packed in enumerate(counts):
            if packed:
                _add(sums[functions[at // len(hours)]], packed, hours[at % len(hours)] * 60, first, end)
    return {function: Point(first * Per.MINUTE, *numbers) for function, numbers in sums.items()}


async def _counts(partition: Partition, keys: Sequence[str]) -> list[bytes | None]:
    found: list[bytes | None] = await partition.read("MGET", *[partition.keys.name("k_counts", key) for key in keys])
    return found


def _add(sums: list[int], packed: bytes, hour: int, first: int, end: int) -> None:
    """Adds the minutes of an hour, which begins with the minute `hour`, that are in the range."""
    numbers = numbers_in(packed)
    low, high = max(0, first - hour) * FIELDS, max(0, min(60, end - hour)) * FIELDS
    for field in range(FIELDS):
        sums[field] += sum(numbers[low + field : high : FIELDS])
