"""The steps of a run, as rows of its page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote_plus

from stepwell.dashboard.run.timeline import Axis, Bar, step_bar
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.durations import duration, elapsed
from stepwell.dashboard.wording.failures import FailureView, failure_view
from stepwell.dashboard.wording.moments import Moment, coming, past
from stepwell.dashboard.wording.payloads import Payload, payload
from stepwell.dashboard.wording.texts import short
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.reading.logs import KeptProgress
from stepwell.platform.reading.noted import Try
from stepwell.platform.reading.pending import until
from stepwell.platform.reading.underway import Underway
from stepwell.platform.records import StepRow

EDGE = 200
"""Of many steps, as many are shown from the first and from the last; whole groups of them."""
GROUP = 10
"""Steps that a browser lays out together or not at all; `css/run.css` says how tall so many are.

Larger ones take too long when they come into view; each costs something in every frame, however far away it is.
"""
INLINE = 256 << 10
"""Bytes of payloads of all steps together that are on the page; the rest is behind links."""


RUNNING = Tone("running", "Running")
CRASHED = "Crashed"
"""Type of the error of an attempt whose worker has died."""
WAITS = ("wait_for_event", "wait_for_any", "wait_for_signal", "invoke")
"""Kinds of steps that a person can give an outcome to."""


@dataclass(frozen=True, slots=True)
class ProgressView:
    """How far something has come: `percent`, and in words."""

    percent: int
    text: str


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of steps besides their rows, by their keys.

    Args:
        children: runs they have invoked.
        progress: how far they say to have come.
        tries: their failed attempts.
        underway: those whose bodies execute.
    """

    children: Mapping[str, str]
    progress: Mapping[str, KeptProgress]
    tries: Mapping[str, Sequence[Try]]
    underway: Mapping[str, Underway]


@dataclass(frozen=True, slots=True)
class TryView:
    """A failed attempt, when it began, and how long it took."""

    attempt: int
    crashed: bool
    began: Moment
    took: str
    worker: str
    error: FailureView | None


@dataclass(frozen=True, slots=True)
class StepView:
    """A step. `since` is when it began, ms UTC, while it goes on; then `duration` grows.

    `can`: what may be done to it now, of "retry", "wake" and "resolve".
    """

    key: str
    anchor: str
    kind: str
    tone: Tone
    attempts: int
    bar: Bar
    duration: str
    since: int | None
    started: Moment | None
    ended: Moment | None
    wakes: Moment | None
    output: Payload | None
    error: FailureView | None
    child: str | None
    progress: ProgressView | None
    can: tuple[str, ...]
    tries: tuple[TryView, ...]
    worker: str | None


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Steps that follow each other; at its ends a list may have a group that is not `whole`.

    The same steps are always in the group of the same `anchor`, whatever is left out before them.
    """

    anchor: str
    steps: tuple[StepView, ...]

    @property
    def whole(self) -> bool:
        """Whether it has as many steps as a group has."""
        return len(self.steps) == GROUP


@dataclass(frozen=True, slots=True)
class StepsView:
    """The steps that are shown: the first ones, how many are left out, and the last ones."""

    count: int
    first: tuple[StepGroup, ...]
    hidden: int
    last: tuple[StepGroup, ...]


def steps_view(run: str, rows: Sequence[StepRow], told: Told, axis: Axis, now: int, *, whole: bool) -> StepsView:
    """The steps of `run`, all of them if `whole` or if they are not very many."""
    rows = [*rows, *_unrecorded(rows, told.underway)]
    hidden = 0 if whole else max(0, len(rows) - 2 * EDGE)
    cut = EDGE if hidden else len(rows)
    numbered = list(enumerate(rows, start=1))
    shown = [*numbered[:cut], *numbered[cut + hidden :]]
    views = [(number, view) for (number, _), view in zip(shown, _views(run, shown, told, axis, now), strict=True)]
    return StepsView(len(rows), tuple(_groups(views[:cut])), hidden, tuple(_groups(views[cut:])))


def _groups(numbered: Sequence[tuple[int, StepView]]) -> Iterator[StepGroup]:
    for group, steps in groupby(numbered, lambda one: (one[0] - 1) // GROUP):
        yield StepGroup(f"steps-{group * GROUP + 1}", tuple(view for _, view in steps))


def _views(run: str, numbered: Sequence[tuple[int, StepRow]], told: Told, axis: Axis, now: int) -> Iterator[StepView]:
    room = INLINE
    for number, row in numbered:
        yield _view(run, number, row, told, axis, now, room)
        if len(row.payload) <= room:
            room -= len(row.payload)


def _unrecorded(rows: Sequence[StepRow], underway: Mapping[str, Underway]) -> Iterator[StepRow]:
    """Rows as they are going to be of steps whose first attempt executes."""
    known = {row.key for row in rows}
    for one in underway.values():
        if one.step not in known:
            yield StepRow(one.step, "retrying", "run", 0, one.attempt, one.started, 0, 0, b"")


def _view(run: str, number: int, row: StepRow, told: Told, axis: Axis, now: int, room: int) -> StepView:
    executes = told.underway.get(row.key)
    shown = RUNNING if executes else tone.of_step(row)
    going_on = row.state in ("pending", "retrying")
    return StepView(
        key=row.key,
        anchor=f"step-{number}",
        kind=row.kind,
        tone=shown,
        attempts=row.attempts,
        bar=step_bar(axis, row, shown),
        duration=elapsed(now - row.started) if going_on else duration(row.ended - row.started),
        since=row.started if going_on else None,
        started=past(row.started, now) if row.started else None,
        ended=past(row.ended, now) if row.ended and not going_on else None,
        wakes=coming(due, now) if (due := until(row)) else None,
        output=_output(run, row, room),
        error=failure_view(row.payload) if row.state in ("failed", "retrying") and row.payload else None,
        child=told.children.get(row.key),
        progress=progress_view(told.progress.get(row.key)) if going_on else None,
        can=tuple(_can(row)),
        tries=tuple(one for one in _tries(told, row, now) if not _is_last(one, row)),
        worker=short(executes.worker) if executes else None,
    )


def _tries(told: Told, row: StepRow, now: int) -> Iterator[TryView]:
    yield from (_try(one, now) for one in told.tries.get(row.key, ()))


def _is_last(one: TryView, row: StepRow) -> bool:
    """Whether it is the attempt that the step itself shows: by its number, for errors are often the same."""
    return row.state in ("failed", "retrying") and one.attempt == row.attempts and not one.crashed


def _try(one: Try, now: int) -> TryView:
    took, error = duration(one.ended - one.started), failure_view(one.error)
    crashed = error is not None and error.troubles[0].type == CRASHED
    return TryView(one.attempt, crashed, past(one.started, now), took, short(one.worker), error)


def _can(row: StepRow) -> Iterator[str]:
    if row.state == "retrying" and row.due:
        yield "retry"
    if row.state == "pending" and until(row):
        yield "wake"
    if row.state == "pending" and row.kind in WAITS:
        yield "resolve"


def progress_view(said: KeptProgress | None) -> ProgressView | None:
    """How far something says to have come; `None` when it says nothing."""
    return ProgressView(round(100 * max(0.0, min(said.value, 1.0))), said.text) if said else None


def _output(run: str, row: StepRow, room: int) -> Payload | None:
    if row.state != "done" or not row.payload:
        return None
    return payload(row.payload, f"/runs/{run}/payload?step={quote_plus(row.key)}", room)
