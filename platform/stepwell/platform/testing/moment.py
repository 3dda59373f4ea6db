"""Times of the platform as tests compare them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def datetime_of(ms: int) -> datetime:
    """A time in ms UTC as an aware datetime, exactly."""
    return EPOCH + timedelta(milliseconds=ms)


def datetime_or_none(ms: int | None) -> datetime | None:
    """The same, where there may be none."""
    return None if ms is None else datetime_of(ms)
