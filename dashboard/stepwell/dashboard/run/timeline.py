"""Where on a time axis things are: everything in percent of its width, for SVG that the server draws."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.dashboard.wording.durations import DAY, HOUR, MINUTE, SECOND, mark
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.records import RunRecord, StepRow

LEAST = 0.5
"""Width of a bar that is too short to be seen otherwise."""
MOST_MARKS = 5
LAST_MARK = 0.88
"""Where on the axis the last mark may be: one further right would be cut off."""
_UNITS = (1, 10, 100, SECOND, 10 * SECOND, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 10 * DAY, 100 * DAY, 1000 * DAY)
STEPS = tuple(unit * factor for unit in _UNITS for factor in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time. `look` is the name of a tone."""

    x: float
    width: float
    look: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the axis, and what it says."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """The time of a run from its creation at `start` until it ended, or now; ms UTC."""

    start: int
    end: int

    @classmethod
    def of(cls, run: RunRecord, created: int, rows: Sequence[StepRow], now: int) -> "Axis":
        """The axis on which a run and its steps fit."""
        last = max((row.ended for row in rows), default=0)
        return cls(created, max(run.ended or now, last, created + 1))

    def bar(self, start: int, end: int, look: str) -> Bar:
        """From `start` to `end`, cut to fit, and wide enough to be seen."""
        left = min(self._percent(start), 100 - LEAST)
        return Bar(left, round(max(LEAST, self._percent(end) - left), 2), look)

    def marks(self) -> tuple[Mark, ...]:
        """A few marks at round times."""
        length = self.end - self.start
        step = next((step for step in sorted(STEPS) if length / step <= MOST_MARKS), max(STEPS))
        times = range(0, int(length * LAST_MARK) + 1, step)
        return tuple(Mark(self._percent(self.start + at), mark(at) if at else "0") for at in times)

    def _percent(self, at: int) -> float:
        return round(100 * max(0, min(at, self.end) - self.start) / (self.end - self.start), 2)


def run_bars(axis: Axis, run: RunRecord) -> tuple[Bar, ...]:
    """The time in the queue, and the time since."""
    if not run.started:
        return (axis.bar(axis.start, axis.end, "queued"),)
    since = axis.bar(run.started, axis.end, run.status.value)
    if since.x < LEAST:
        return (axis.bar(axis.start, axis.end, run.status.value),)
    return axis.bar(axis.start, run.started, "queued"), since


def step_bar(axis: Axis, row: StepRow, tone: Tone) -> Bar:
    """The time of a step, its waits between attempts included."""
    going_on = row.state in ("pending", "retrying")
    look = "waiting" if row.state == "pending" or row.kind == "sleep" else tone.name
    return axis.bar(row.started, axis.end if going_on else row.ended, look)
