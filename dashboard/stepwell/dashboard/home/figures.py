"""The numbers and charts of the first page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stepwell.dashboard.charts.columns import Columns, columns
from stepwell.dashboard.wording.counts import share
from stepwell.dashboard.wording.sizes import size
from stepwell.platform.doctor.glance import Glance
from stepwell.platform.reading.counts import Counts, WorkerSession
from stepwell.platform.reading.rates import Point, Rates

WORDS = {"running": "started", "completed": "completed", "failed": "failed", "cancelled": "cancelled"}
"""What the tones of the charts stand for."""
Parts = Callable[[Point], Sequence[tuple[str, int]]]
RUNS = "/runs"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the page: `more` is said below it, and `url` leads to what it counts."""

    id: str
    label: str
    value: str
    more: str = ""
    url: str | None = None
    tone: str | None = None


def figures_of(rates: Rates, counts: Counts, sessions: Sequence[WorkerSession], seen: Glance) -> tuple[Figure, ...]:
    """The numbers: first what has happened in the time of `rates`, then what is so now."""
    events, started, completed, failed = (
        sum(getattr(point, name) for point in rates.points) for name in ("events", "started", "completed", "failed")
    )
    rate = f"{share(failed, failed + completed)} of {failed + completed:,}" if failed else ""
    found = [
        Figure("events", "Events", f"{events:,}", url="/events"),
        Figure("started", "Runs started", f"{started:,}", url=RUNS),
        Figure("failed", "Failed", f"{failed:,}", rate, f"{RUNS}?status=failed", "failed" if failed else None),
        *_now(counts),
        _workers(sessions),
    ]
    memory = _memory(seen)
    return (*found, memory) if memory else tuple(found)


def _now(counts: Counts) -> list[Figure]:
    running = Figure("running", "Running", f"{counts.running:,}", "now", f"{RUNS}?status=running")
    if counts.queued is None or counts.waiting is None:
        return [running, Figure("unfinished", "Unfinished", f"{counts.unfinished:,}", "now", RUNS)]
    return [
        running,
        Figure("waiting", "Waiting", f"{counts.waiting:,}", "now", f"{RUNS}?status=waiting"),
        Figure("queued", "Queued", f"{counts.queued:,}", "now", f"{RUNS}?status=queued"),
    ]


def _workers(sessions: Sequence[WorkerSession]) -> Figure:
    slots = [session.card.slots for session in sessions if session.card]
    used = f"{sum(session.running for session in sessions):,} of {sum(slots):,} slots" if slots else "now"
    return Figure("workers", "Workers", f"{len(sessions):,}", used, "/workers")


def _memory(seen: Glance) -> Figure | None:
    """Of the server that is fullest."""
    known = [(server.used, server.limit or 0) for server in seen.servers if server.used is not None]
    if not known:
        return None
    used, limit = max(known, key=lambda one: one[0] / one[1] if one[1] else 0)
    more = f"{share(used, limit)} of {size(limit)}" if limit else "there is no limit"
    return Figure("memory", "Redis memory", size(used), more, "/system")


def begun(rates: Rates) -> Columns:
    """When runs have started."""
    return _chart(rates, lambda point: [("running", point.started)])


def ended(rates: Rates) -> Columns:
    """When runs have ended, and how."""
    return _chart(
        rates,
        lambda point: [("completed", point.completed), ("failed", point.failed), ("cancelled", point.cancelled)],
    )


def _chart(rates: Rates, parts: Parts) -> Columns:
    times = [point.at for point in rates.points]
    return columns(times, [parts(point) for point in rates.points], rates.before, WORDS)
