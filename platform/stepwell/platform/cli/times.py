"""Times and durations as people read them."""

from datetime import UTC, datetime


def moment(ms: int | None) -> str:
    """A time in ms UTC, in the zone of this machine."""
    return "-" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def took(start: int | None, end: int | None) -> str:
    """The time between two, or "-" until both are known."""
    return "-" if start is None or end is None else span(end - start)


def span(ms: int) -> str:
    """A duration."""
    if ms < 1000:
        return f"{ms} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    return " ".join([f"{count}{unit}" for count, unit in parts if count][:2])
