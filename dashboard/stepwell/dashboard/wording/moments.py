"""Moments as people read them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from stepwell.dashboard.wording.durations import ago, until

LAST = 253_402_300_799_999
"""The end of the year 9999, which is as far as Python can tell."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time. `iso` is for machines, `absolute` for people, `text` says how far it is from now."""

    ms: int
    iso: str
    absolute: str
    text: str


def past(ms: int, now: int) -> Moment:
    """A moment that has come, ms UTC."""
    return _moment(ms, ago(now - ms))


def coming(ms: int, now: int) -> Moment:
    """A moment that is to come, ms UTC."""
    return _moment(ms, until(ms - now))


def _moment(ms: int, text: str) -> Moment:
    at = datetime.fromtimestamp(min(ms, LAST) / 1000, UTC)
    iso = at.isoformat(timespec="milliseconds")
    return Moment(ms, iso.replace("+00:00", "Z"), f"{iso[:10]} {iso[11:19]} UTC", text)
