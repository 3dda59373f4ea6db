"""Workers and counts as JSON models."""

from stepwell.platform.api.models.system import RunCounts, Worker
from stepwell.platform.reading.counts import Counts, WorkerSession


def worker(session: WorkerSession) -> Worker:
    """A worker."""
    return Worker(id=session.id, running=session.running, expires_at=session.expires)


def counts(found: Counts) -> RunCounts:
    """How many runs there are."""
    return RunCounts.model_validate(found, from_attributes=True)
