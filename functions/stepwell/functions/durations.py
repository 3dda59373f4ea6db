"""Lengths of time and moments as people write them.

A duration is text such as "300ms", "5m" or "1h30m", a `timedelta`, or a number of seconds (as in asyncio).
Inside it is a whole number of milliseconds, rounded up so that nothing is ever early.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from stepwell.functions.errors import InvalidDuration

Duration = str | float | timedelta

UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
PART: Final = re.compile(r"([0-9]+(?:[.][0-9]+)?)(ms|s|m|h|d|w)")
LONGEST: Final = 36_525 * UNITS["d"]  # 100 years
LATEST: Final = 7_258_118_400_000  # the beginning of 2200
WHOLE: Final = re.compile(rf"(?:{PART.pattern})+")


def milliseconds(duration: Duration) -> int:
    """A duration in ms, rounded up.

    Raises:
        InvalidDuration: it is none of the forms above, negative, not finite, or longer than 100 years.
    """
    length = _length(duration)
    if not math.isfinite(length) or length < 0:
        raise InvalidDuration(f"a duration is finite and not negative, not {duration!r:.100}")
    if length > LONGEST:
        raise InvalidDuration(f"a duration is at most 100 years (36525d), not {duration!r:.100}")
    return math.ceil(length)


def moment(when: datetime | str) -> int:
    """A moment in ms since 1970 UTC, rounded up: an aware datetime, or ISO 8601 text with an offset.

    Raises:
        InvalidDuration: it is neither, says no time zone, or is later than 2199.
    """
    at = _datetime(when)
    if at.tzinfo is None:
        raise InvalidDuration(f"{when!r:.100} has no time zone: use an aware datetime, such as datetime(…, tzinfo=UTC)")
    ms = math.ceil(Decimal(at.timestamp()) * 1000)
    if ms >= LATEST:
        raise InvalidDuration(f"{when!r:.100} is too late: a moment is before the year 2200")
    return ms


def _length(duration: Duration) -> float:
    if isinstance(duration, str):
        return _text(duration)
    if isinstance(duration, timedelta):
        return duration / timedelta(milliseconds=1)
    if type(duration) not in (int, float):
        raise InvalidDuration(
            f'a duration is text such as "5m", a timedelta or a number of seconds, not {duration!r:.100}'
        )
    # Through its text, so that 0.3 s is 300 ms and not the 300.0000000000000001 that would round up to 301.
    return float(Decimal(str(duration)) * 1000)


def _text(duration: str) -> float:
    if not WHOLE.fullmatch(duration):
        raise InvalidDuration(
            f'{duration!r:.100} is not a duration: write "300ms", "5m" or "1h30m" (ms, s, m, h, d, w)'
        )
    return float(sum(Decimal(count) * UNITS[unit] for count, unit in PART.findall(duration)))


def _datetime(when: datetime | str) -> datetime:
    if isinstance(when, datetime):
        return when
    try:
        return datetime.fromisoformat(when)
    except (TypeError, ValueError):
        raise InvalidDuration(f"{when!r:.100} is not a moment: use an aware datetime or ISO 8601 text") from None
