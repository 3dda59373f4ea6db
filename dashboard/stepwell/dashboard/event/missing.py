"""Functions that an event has started no run of, or counted without a key, and exactly why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stepwell.dashboard.events.listeners import Listening
from stepwell.dashboard.wording.refusals import CONDITION, REASONS
from stepwell.platform.flow import judging
from stepwell.platform.flow.judging import Unkeyed
from stepwell.platform.flow.key import KeyFailed, evaluate
from stepwell.platform.records import EventRecord
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.waits.outcome import event_json


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a trigger, and why it is not true: because it is false, or cannot be evaluated."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A function of which there is no run. `run` is the one that is the reason, or empty."""

    function: str
    label: str
    text: str
    run: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the functions that are registered now make of an event."""

    missing: tuple[Missing, ...]
    unkeyed: tuple[Unkeyed, ...]


def judged(event: EventRecord, snapshot: Snapshot, *, seen: bool) -> Judged:
    """The functions that an event might have started, and has not; without what its data says unless that is `seen`."""
    told = event_json(event)
    refused = tuple(_refused(event))
    known = {one.function for one in refused}
    conditions = {one.function: one.conditions for one in Listening(snapshot).to(event.name)}
    false = [
        Missing(id, CONDITION.label, CONDITION.text, "", _conditions(conditions[id], told, seen=seen))
        for id in judging.left_out(snapshot, event.name, told)
        if id not in known
    ]
    unkeyed = judging.unkeyed(snapshot, event.name, told) if seen else ()
    return Judged((*refused, *false), tuple(replace(one, message=_line(one.message)) for one in unkeyed))


def _refused(event: EventRecord) -> Iterator[Missing]:
    for function, refusal in event.refusals:
        why = REASONS[refusal.reason]
        yield Missing(function, why.label, why.text, refusal.run, ())


def _conditions(texts: tuple[str, ...], told: Mapping[str, Any], *, seen: bool) -> tuple[Condition, ...]:
    return tuple(Condition(text, _why(text, told) if seen else "is not true") for text in texts)


def _why(text: str, told: Mapping[str, Any]) -> str:
    try:
        evaluate(text, told)
    except KeyFailed as error:
        return f"cannot be evaluated: {_line(str(error))}"
    return "is false"


def _line(text: str) -> str:
    """The first line: those below show the expression again."""
    return text.partition("\n")[0]
