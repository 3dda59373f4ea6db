"""Times that are typed as the clocks of a zone show them."""

from datetime import datetime

from stepwell.platform.cron.zone import zone_of

FORM = "%Y-%m-%dT%H:%M"
"""As browsers send a date and a time of day."""


def typed_time(text: str, tz: str) -> int:
    """The moment in ms UTC; of a time that clocks show twice, the first. Raises `ValueError`."""
    clock = datetime.fromisoformat(text)
    if clock.tzinfo is not None:
        return int(clock.timestamp() * 1000)
    return zone_of(tz).reading(clock).first * 1000


def shown_time(ms: int, tz: str) -> str:
    """What the clocks of a zone show at a moment, as a field of a form takes it. Raises `ValueError`."""
    return zone_of(tz).clock(ms // 1000)[0].strftime(FORM)
