"""What is known of a schedule: the text that lua/include/schedules.lua explains."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """Times in ms UTC, 0 when there is none.

    Args:
        next: the time that fires next.
        last: the last time that has started a run.
        fired: when it did.
        run: that run, or "-".
        missed: times that nothing made up for.
        skipped: times that were left out.
        paused: since when it rests.
        skip: a time that a person wants left out.
        held: times that wait for the run before to end.
    """

    next: int
    last: int
    fired: int
    run: str
    missed: int
    skipped: int
    paused: int
    skip: int
    held: tuple[int, ...]

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Reads it."""
        upcoming, last, fired, run, missed, skipped, paused, skip, held = text.decode().split(" ")
        waiting = () if held == "-" else tuple(map(int, held.split(",")))
        return cls(
            int(upcoming), int(last), int(fired), run, int(missed), int(skipped), int(paused), int(skip), waiting
        )
