"""What has happened to a run as JSON models."""

from stepwell.platform.api.models.history import History, HistoryEntry
from stepwell.platform.api.views.failure import failure
from stepwell.platform.reading.story import Entry, Story


def history(story: Story, after: int, limit: int) -> History:
    """Up to `limit` entries behind the one of number `after`."""
    shown = story.entries[after : after + limit]
    last = after + len(shown)
    return History(
        data=[_entry(number, entry) for number, entry in enumerate(shown, after + 1)],
        next=str(last) if shown and last < len(story.entries) else None,
        total=len(story.entries),
        dropped=story.dropped,
        queued_ms=story.split.queued,
        running_ms=story.split.running,
        waiting_ms=story.split.waiting,
    )


def _entry(number: int, entry: Entry) -> HistoryEntry:
    return HistoryEntry(
        number=number,
        at=entry.at,
        kind=entry.kind,
        until=entry.until,
        step=entry.step,
        step_kind=entry.step_kind,
        worker=entry.worker,
        attempt=entry.attempt,
        outcome=entry.outcome,
        due=entry.due,
        error=failure(entry.error),
    )
