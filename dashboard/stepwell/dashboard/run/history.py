"""What has happened to a run, as its page tells it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stepwell.dashboard.address import with_query
from stepwell.dashboard.run.query import RunQuery
from stepwell.dashboard.wording.durations import after, duration, elapsed
from stepwell.dashboard.wording.failures import FailureView, failure_view
from stepwell.dashboard.wording.moments import Moment, coming, past
from stepwell.dashboard.wording.texts import short
from stepwell.platform.history import History
from stepwell.platform.reading.story import Entry, Story

LINES = 200
"""Of one page."""
KINDS = {
    "created": ("queued", "Created"),
    "kept": ("completed", "Kept from the run before"),
    "retry": ("retrying", "Retried by hand"),
    "wake": ("waiting", "Woken by hand"),
    "resolve": ("waiting", "Resolved by hand"),
    "queued": ("queued", "Queued"),
    "running": ("running", "Running"),
    "step": ("completed", "Step"),
    "failed_attempt": ("retrying", "Attempt failed"),
    "cancel_requested": ("cancelled", "Asked to cancel"),
    "waiting": ("waiting", "Waiting"),
    "completed": ("completed", "Completed"),
    "failed": ("failed", "Failed"),
    "cancelled": ("cancelled", "Cancelled"),
}
"""Icon and words of each kind of entry."""
STEPS = {"waiting": "waiting", "retrying": "retrying", "failed": "failed", "running": "running"}
"""Icons of steps that are not completed, by their outcome."""


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """Something that happened. `after`: since the run was created; `took` grows from `since` on, ms UTC.

    `since` is `None` of what does not go on.
    """

    tone: str
    text: str
    step: str | None
    step_kind: str | None
    details: tuple[str, ...]
    worker: str | None
    at: Moment
    after: str
    took: str
    since: int | None
    due: Moment | None
    error: FailureView | None


@dataclass(frozen=True, slots=True)
class HistoryView:
    """The tab. Times are how long the run was queued, running and waiting; `older` and `newer` are addresses."""

    lines: tuple[HistoryLine, ...]
    count: int
    queued: str
    running: str
    waiting: str
    dropped: int
    older: str | None
    newer: str | None

    def without_payloads(self) -> "HistoryView":
        """The same for those who may not see payloads."""
        lines = [replace(line, error=line.error and line.error.without_payloads()) for line in self.lines]
        return replace(self, lines=tuple(lines))


async def history_view(history: History, run: str, created: int, query: RunQuery, now: int) -> HistoryView | None:
    """What happened, oldest first, from the entry that the query says; `None` when there is no such run."""
    story = await history.story(run, now)
    return _view(story, run, created, min(query.after or 0, len(story.entries)), now) if story else None


def _view(story: Story, run: str, created: int, first: int, now: int) -> HistoryView:
    shown, count = story.entries[first : first + LINES], len(story.entries)
    return HistoryView(
        lines=_lines(shown, created, now),
        count=count,
        queued=duration(story.split.queued),
        running=duration(story.split.running),
        waiting=duration(story.split.waiting),
        dropped=story.dropped,
        older=_address(run, max(0, first - LINES)) if first else None,
        newer=_address(run, first + LINES) if first + LINES < count else None,
    )


def _lines(entries: Sequence[Entry], created: int, now: int) -> tuple[HistoryLine, ...]:
    return tuple(_line(entry, created, now) for entry in entries)


def _line(entry: Entry, created: int, now: int) -> HistoryLine:
    tone, text = KINDS[entry.kind]
    lasting = entry.kind in ("queued", "running", "waiting", "step")
    going_on = lasting and entry.until is None and entry.kind != "step"
    return HistoryLine(
        tone=STEPS.get(entry.outcome or "", tone) if entry.kind == "step" else tone,
        text=text,
        step=entry.step,
        step_kind=entry.step_kind,
        details=tuple(_details(entry)),
        worker=short(entry.worker) if entry.worker else None,
        at=past(entry.at, now),
        after=after(entry.at - created),
        took=_took(entry, now) if lasting else "",
        since=entry.at if going_on else None,
        due=coming(entry.due, now) if entry.due and entry.until is None else None,
        error=failure_view(entry.error),
    )


def _took(entry: Entry, now: int) -> str:
    if entry.until is not None:
        return duration(entry.until - entry.at)
    return "" if entry.kind == "step" else elapsed(now - entry.at)


def _details(entry: Entry) -> list[str]:
    told = list[str]()
    if entry.outcome and entry.outcome != "completed":
        told.append(entry.outcome)
    if entry.attempt and (entry.attempt > 1 or entry.kind == "failed_attempt"):
        told.append(f"attempt {entry.attempt}" if entry.kind == "failed_attempt" else f"{entry.attempt} attempts")
    return told


def _address(run: str, first: int) -> str:
    return with_query(f"/runs/{run}", {"tab": "history", "after": first})
