"""How a worker is: heard of, late, or about to end."""

from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.reading.counts import WorkerSession

LATE = 0.6
"""Of the time after which a silent worker is taken for dead: some beats are then missing."""
FINE, LATE_TONE, DRAINING = Tone("fine", "Fine"), Tone("warning", "Late"), Tone("waiting", "Draining")
AWAY = Tone("warning", "App away")


def heard(session: WorkerSession, expiry: int) -> int:
    """When a worker was last heard of, ms UTC; `expiry` is that of workers that do not say theirs."""
    return session.expires - (session.card.expiry if session.card else expiry)


def is_late(session: WorkerSession, expiry: int, now: int) -> bool:
    """Whether a worker should have been heard of since."""
    limit = session.card.expiry if session.card else expiry
    return now - heard(session, expiry) > limit * LATE


def state_of(session: WorkerSession, expiry: int, now: int) -> Tone:
    """How it is, to be shown."""
    if is_late(session, expiry, now):
        return LATE_TONE
    if session.card and session.card.away:
        return AWAY
    return DRAINING if session.card and session.card.draining else FINE
