"""Times and durations as people read them."""

from datetime import UTC, datetime

from stepwell.functions.durations import milliseconds
from stepwell.functions.errors import InvalidDuration
from stepwell.platform.cli.console import Misuse


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


def since(text: str, now: int) -> int:
    """A time in ms UTC: in ISO 8601, without an offset in the zone of this machine, or how long before `now` it was.

    Raises `Misuse`.
    """
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        pass
    try:
        return max(0, now - milliseconds(text))
    except InvalidDuration:
        raise Misuse(f"{text!r} is neither how long ago, as in 90m or 7d, nor a time, as in 2026-03-29T02:30") from None
