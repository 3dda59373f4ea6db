"""What crashes must not do to the orders of the shop, judged by the ledger and by what was recorded."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import orjson

from examples.ledger import Execution
from stepwell.platform.records import RunRecord, Status, StepRow
from tests.crash_orders import Fate, Order
from tests.crash_stack import Kill

BODIES: Mapping[str, str] = {"confirm": "mail", "apologise": "mail"}
"""The body of a step, where that has another name."""
BODILESS = {"cool-off", "announce"}
STEPS: Mapping[Fate, set[str]] = {
    "declined": {"charge"},
    "refunded": {"charge", "cool-off", "pack", "label", "refund", "apologise"},
    "shipped": {"charge", "cool-off", "pack", "label", "ship", "announce", "confirm"},
}
THANKS = {"thanks", "points"}
FAILED: Mapping[Fate, set[str]] = {"declined": {"charge"}, "refunded": {"label"}, "shipped": set()}
RETRIED = "CarrierDown"
"""Outcome of a body that is tried again."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run as it was found in the end, its steps by key."""

    run: RunRecord
    steps: Mapping[str, StepRow]


@dataclass(frozen=True, slots=True)
class Story:
    """An order, and the runs it led to.

    Args:
        order: as sent.
        ids: ids its event was acknowledged under.
        fulfil: runs of its event.
        thank: runs of the event its shipment announced.
        payments: in the ledger.
    """

    order: Order
    ids: set[str]
    fulfil: Sequence[Recorded]
    thank: Sequence[Recorded]
    payments: Sequence[Decimal]


def violations(stories: Iterable[Story], executions: Sequence[Execution], kills: Sequence[Kill]) -> list[str]:
    """Every promise that was broken, in words."""
    bodies = by_body(executions)
    killed = {pid for kill in kills for pid in kill.executors}
    found: list[str] = []
    for story in stories:
        found += [f"{story.order.id}: {wrong}" for wrong in _wrong_with_story(story)]
        for recorded in (*story.fulfil, *story.thank):
            found += [f"{story.order.id}: {wrong}" for wrong in _wrong_with_run(recorded, bodies, killed)]
    found += [f"{run} {body} was executed for a run that nobody knows" for run, body in bodies.keys() - _known(stories)]
    return found


def by_body(executions: Iterable[Execution]) -> dict[tuple[str, str], list[Execution]]:
    """The executions of each (run, body), in the order in which they began."""
    bodies: dict[tuple[str, str], list[Execution]] = defaultdict(list)
    for execution in executions:
        bodies[execution.run, execution.step].append(execution)
    return bodies


def extra(executions: Iterable[Execution]) -> int:
    """How many bodies were executed again although they had not failed."""
    again = [times for times in by_body(executions).values() if len(times) > 1]
    return sum(1 for times in again for time in times[:-1] if time.outcome != RETRIED)


def _known(stories: Iterable[Story]) -> set[tuple[str, str]]:
    return {
        (recorded.run.id, BODIES.get(key, key))
        for story in stories
        for recorded in (*story.fulfil, *story.thank)
        for key in recorded.steps
    }


def _wrong_with_story(story: Story) -> Iterator[str]:
    fate, order = story.order.fate, story.order
    if len(story.ids) != 1:
        yield f"its event has the ids {story.ids}"
    shipped = int(fate == "shipped")
    if (len(story.fulfil), len(story.thank)) != (1, shipped):
        yield f"{len(story.fulfil)} runs of it and {len(story.thank)} of its shipment, not 1 and {shipped}"
        return
    yield from _wrong_with_ending(story.fulfil[0], STEPS[fate], FAILED[fate])
    for recorded in story.thank:
        yield from _wrong_with_ending(recorded, THANKS, set())
    status = "failed" if fate == "declined" else fate
    if _word(story.fulfil[0].run) != status:
        yield f"it ended as {_word(story.fulfil[0].run)}, not {status}: {story.fulfil[0].run.error!r}"
    due = {"declined": [], "refunded": [order.total, -order.total], "shipped": [order.total]}[fate]
    if story.payments != due:
        yield f"{story.payments} was paid, not {due}"


def _word(run: RunRecord) -> str:
    return str(orjson.loads(run.output)["status"]) if run.status is Status.COMPLETED else str(run.status)


def _wrong_with_ending(recorded: Recorded, steps: set[str], failed: set[str]) -> Iterator[str]:
    run = recorded.run
    if not run.status.ended:
        yield f"run {run.id} has not ended, but is {run.status}"
    if set(recorded.steps) != steps:
        yield f"run {run.id} has the steps {sorted(recorded.steps)}, not {sorted(steps)}"
    if run.steps != len(recorded.steps):
        yield f"run {run.id} counts {run.steps} steps and has {len(recorded.steps)}"
    for key, row in recorded.steps.items():
        if row.state != ("failed" if key in failed else "done"):
            yield f"step {key} of run {run.id} is {row.state}"


def _wrong_with_run(
    recorded: Recorded, bodies: Mapping[tuple[str, str], Sequence[Execution]], killed: set[int]
) -> Iterator[str]:
    for key, row in recorded.steps.items():
        if key not in BODILESS:
            executions = bodies.get((recorded.run.id, BODIES.get(key, key)), ())
            yield from (
                f"{key} of run {recorded.run.id} {wrong}" for wrong in _wrong_with_step(row, executions, killed)
            )


def _wrong_with_step(row: StepRow, executions: Sequence[Execution], killed: set[int]) -> Iterator[str]:
    late = [execution.began for execution in executions if ms(execution.began) > row.ended]
    if late:
        yield f"was recorded at {row.ended} and executed again at {late}"
    if not executions or executions[-1].ended is None:
        yield "is recorded although no execution of it came to an end"
    for execution, following in pairwise(executions):
        if execution.outcome != RETRIED and execution.pid not in killed:
            yield f"was executed again although {execution} was not killed"
        if execution.ended is not None and following.began < execution.ended:
            yield f"was executed twice at once: {execution}, {following}"
    hits = sum(execution.pid in killed for execution in executions)
    if not row.attempts <= len(executions) <= row.attempts + hits:
        times = Counter(execution.outcome for execution in executions)
        yield f"was executed {dict(times)} times for {row.attempts} attempts and {hits} kills that hit it"


def ms(text: str) -> int:
    """A time of the ledger in ms UTC."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
