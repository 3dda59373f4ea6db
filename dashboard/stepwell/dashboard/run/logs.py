"""What the code of a run has said, as its page shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.dashboard.address import with_query
from stepwell.dashboard.run.query import LEVELS, RunQuery
from stepwell.dashboard.wording.durations import after
from stepwell.dashboard.wording.moments import LAST
from stepwell.platform.codec import encode
from stepwell.platform.history import History
from stepwell.platform.reading.logs import MOST_LINES, KeptLine, LogPage

LINES = 200
"""Of one page."""
TONES = {"warning": "waiting", "error": "failed", "critical": "failed"}


@dataclass(frozen=True, slots=True)
class LineView:
    """A line. `after`: since the run was created; `fields` as (name, JSON)."""

    number: int
    at: int
    after: str
    level: str
    tone: str
    message: str
    fields: tuple[tuple[str, str], ...]
    step: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class LogsView:
    """The tab. `older` and `newer` are addresses; `filtered`: only some of the lines are wanted.

    `said` lines in all, `dropped` of which are not kept any more.
    """

    lines: tuple[LineView, ...]
    said: int
    dropped: int
    filtered: bool
    older: str | None
    newer: str | None
    download: str


async def logs_view(history: History, run: str, created: int, query: RunQuery) -> LogsView:
    """The lines that are wanted: the newest, unless the query says behind which."""
    probe = await history.logs(run, limit=1) or LogPage((), None, 0)
    if query.filters_lines:
        page = await history.logs(run, limit=MOST_LINES) or probe
        lines = [line for line in page.lines if _is_wanted(line, query)]
        older = newer = None
    else:
        first = max(probe.dropped, probe.said - LINES) if query.after is None else query.after
        page = await history.logs(run, after=first, limit=LINES) or probe
        lines = list(page.lines)
        older = _address(run, max(probe.dropped, first - LINES)) if first > probe.dropped else None
        newer = _address(run, page.next) if page.next else None
    return LogsView(
        _views(lines, created),
        page.said,
        page.dropped,
        query.filters_lines,
        older,
        newer,
        f"/api/v1/runs/{run}/logs?limit={MOST_LINES}",
    )


def _is_wanted(line: KeptLine, query: RunQuery) -> bool:
    loud = query.level is None or (line.level in LEVELS and LEVELS.index(line.level) >= LEVELS.index(query.level))
    return loud and query.step in (None, line.step) and (query.text or "").lower() in line.message.lower()


def _views(lines: Sequence[KeptLine], created: int) -> tuple[LineView, ...]:
    return tuple(
        LineView(
            line.number,
            min(line.at, LAST),
            after(line.at - created),
            line.level,
            TONES.get(line.level, "queued"),
            line.message,
            tuple((name, encode(value).decode()) for name, value in line.fields.items()),
            line.step,
            line.attempt,
        )
        for line in lines
    )


def _address(run: str, first: int) -> str:
    return with_query(f"/runs/{run}", {"tab": "logs", "after": first})
