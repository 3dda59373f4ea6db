"""Workers and counts as JSON models."""

from stepwell.platform.api.models.system import Away, RunCounts, Worker
from stepwell.platform.reading.counts import Counts, WorkerSession


def worker(session: WorkerSession) -> Worker:
    """A worker."""
    told, card = Worker(id=session.id, running=session.running, expires_at=session.expires), session.card
    if card is None:
        return told
    said = {
        "host": card.host,
        "pid": card.pid,
        "apps": card.apps,
        "functions": list(card.functions),
        "slots": card.slots,
        "started_at": card.started,
        "stepwell": card.stepwell,
        "suspects": card.suspects,
        "draining": card.draining,
        "served": card.served or None,
        "away": card.away and Away(why=card.away.why, since=card.away.since, until=card.away.until),
    }
    return told.model_copy(update=said)


def counts(found: Counts) -> RunCounts:
    """How many runs there are."""
    return RunCounts.model_validate(found, from_attributes=True)
