"""How long runs take."""

from dataclasses import dataclass

from stepwell.dashboard.wording.durations import duration, elapsed
from stepwell.platform.records import RunRecord


@dataclass(frozen=True, slots=True)
class Length:
    """A time span. `since` is when it began, ms UTC, while it goes on; then `text` grows."""

    text: str
    since: int | None = None


def between(start: int, end: int, now: int) -> Length:
    """From `start` on, to `end` unless that is 0; ms UTC."""
    return Length(duration(end - start)) if end else Length(elapsed(now - start), start)


def executing(run: RunRecord, now: int) -> Length | None:
    """From when a run was first executed until it has ended; `None` if it never was."""
    return between(run.started, run.ended, now) if run.started else None
