"""What a run that does another one again has from it: steps with their outcomes, and what belongs to those."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf

from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Kept
from stepwell.platform.ids import home_of, is_id, partition_of
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.records import EventRecord, StepRow
from stepwell.platform.steering.outcomes import event_taken
from stepwell.platform.steering.subject import Subject, no_such_step
from stepwell.platform.waits.outcome import event_json
from stepwell.platform.waits.words import Awaited


async def kept_of(
    subject: Subject, key: str, output: bytes | None, now: int, partitions: Sequence[Partition], awaited: Awaited
) -> Kept:
    """The steps that were done before the step `key`, and that itself when its `output` is given.

    Raises `NoSuchStep`.
    """
    rows = await steps_of(subject.home, subject.run)
    step = next((row for row in rows if row.key == key), None)
    if step is None:
        raise no_such_step(key, sorted(row.key for row in rows))
    before = step.turn if _ended(step) else inf
    kept = [row for row in rows if _ended(row) and row.turn < before and row.key != key]
    turn = max((row.turn for row in kept), default=0)
    if output is not None:
        turn = step.turn if _ended(step) else turn + 1
        kept.append(replace(step, state="done", turn=turn, due=0, ended=now, payload=output))
    return Kept(kept, turn, [*_children(subject, kept), *await _marks(subject, kept, partitions, awaited)])


def _ended(row: StepRow) -> bool:
    return row.state in ("done", "failed")


def _children(subject: Subject, kept: Sequence[StepRow]) -> Iterator[tuple[str, str]]:
    for row in kept:
        if row.kind == "invoke" and (child := subject.child(row.key)):
            yield f"k:{row.key}", child


async def _marks(
    subject: Subject, kept: Sequence[StepRow], partitions: Sequence[Partition], awaited: Awaited
) -> list[tuple[str, str]]:
    """Up to which event the waits that are kept have taken any, so that the next ones look behind it."""
    marks = {name[2:].decode(): int(float(position)) for name, position in subject.header.items() if name[:2] == b"w:"}
    if not marks:
        return []
    found = await asyncio.gather(*[_event(partitions, id) for row in kept for id in _taken(row)])
    words = [(event, word) for event in found if event for word in awaited.words(event_json(event))]
    places = await asyncio.gather(*[_place(partitions, word, event) for event, word in words])
    fields: list[tuple[str, str]] = []
    for mark, last in marks.items():
        # A later wait may have gone on from there; then it is the last event that one of those kept has taken.
        known = [place for (_, word), place in zip(words, places, strict=True) if word == mark]
        position = last if last in places else max(known, default=0)
        if position:
            fields.append((f"w:{mark}", str(position)))
    return fields


async def _place(partitions: Sequence[Partition], word: str, event: EventRecord) -> int:
    """Where an event is among those of a word."""
    home = partitions[home_of(event.name, len(partitions))]
    place: bytes | float | None = await home.read("ZSCORE", home.keys.name("k_heard", word), event.id)
    return event.position if place is None else int(float(place))


def _taken(row: StepRow) -> Iterator[str]:
    """The id of the event that a wait has taken."""
    id = str(event_taken(row).get("id", ""))
    if is_id(id):
        yield id


async def _event(partitions: Sequence[Partition], id: str) -> EventRecord | None:
    where = partition_of(id)
    if where >= len(partitions):
        return None
    home = partitions[where]
    record: bytes | None = await home.read("GET", home.keys.name("k_event", id))
    return EventRecord.parse(id, record) if record else None
