"""What runs have said as JSON models."""

from stepwell.platform.api.models.log import LogLine, Logs, Progress
from stepwell.platform.reading.logs import KeptLine, KeptProgress, LogPage


def logs(page: LogPage) -> Logs:
    """A page of lines."""
    following = None if page.next is None else str(page.next)
    return Logs(data=[_line(line) for line in page.lines], next=following, dropped=page.dropped)


def progress(kept: KeptProgress | None) -> Progress | None:
    """How far something has come, if that is known."""
    if kept is None:
        return None
    return Progress(at=kept.at, value=kept.value, text=kept.text, step=kept.step, attempt=kept.attempt)


def _line(line: KeptLine) -> LogLine:
    return LogLine(
        number=line.number,
        at=line.at,
        level=line.level,
        message=line.message,
        fields=line.fields,
        step=line.step,
        attempt=line.attempt,
    )
