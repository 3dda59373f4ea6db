"""The turns of a run, each the time of one lease, and how much of its life they were."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stepwell.platform.reading.noted import Noted, Outcome, Turn
from stepwell.platform.records import RunRecord, Status

ENDS: Mapping[Status, Outcome] = MappingProxyType(
    {Status.COMPLETED: "completed", Status.FAILED: "failed", Status.CANCELLED: "cancelled"}
)


@dataclass(frozen=True, slots=True)
class Split:
    """Ms that a run was queued, running and waiting, together from its creation to its end, or to now."""

    queued: int
    running: int
    waiting: int


def turns_of(run: RunRecord, noted: Noted) -> tuple[Turn, ...]:
    """Its turns, oldest first, also the one that goes on, or with which the run has ended."""
    # What is noted may be newer than the header, which was read before it.
    over = {"-", *(turn.token for turn in noted.turns)}
    if not run.leased or run.token in over or not (run.status is Status.RUNNING or run.status.ended):
        return noted.turns
    outcome: Outcome | None = None
    if run.status.ended:
        outcome = ENDS[run.status]
    return (*noted.turns, Turn(run.ready or run.created, run.leased, run.ended, run.token, outcome))


def split_of(run: RunRecord, turns: Sequence[Turn], noted: Noted, now: int) -> Split:
    """Where the time of a run went."""
    until = run.ended or max(now, run.created)
    queued = noted.dropped_queued + sum(turn.leased - turn.ready for turn in turns)
    ran = noted.dropped_ran + sum((turn.ended or max(now, turn.leased)) - turn.leased for turn in turns)
    if not run.leased:
        queued += max(0, until - (run.ready or run.created))
    return Split(queued, ran, max(0, until - run.created - queued - ran))


def worker_at(turns: Sequence[Turn], at: int) -> str | None:
    """Who executed the run at a time."""
    place = bisect_right(turns, at, key=lambda turn: turn.leased) - 1
    return turns[place].worker if place >= 0 else None
