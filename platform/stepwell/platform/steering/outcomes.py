"""Outcomes that a person gives to steps, as the steps themselves would have recorded them."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stepwell.platform.codec import decode, encode
from stepwell.platform.ids import new_id, partition_of
from stepwell.platform.incoming import BadEvent, parse_event
from stepwell.platform.reading.pending import pending_of
from stepwell.platform.records import StepRow
from stepwell.platform.steering.order import Given
from stepwell.platform.steering.refusals import NotNow, Unfit
from stepwell.platform.steering.subject import Subject
from stepwell.platform.waits.outcome import failed

EVENT, ANY, INVOKE, SIGNAL = "wait_for_event", "wait_for_any", "invoke", "wait_for_signal"


class GivenEvent(BaseModel):
    """An event as somebody gives it to a wait; what is left out is filled in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    data: dict[str, Any] = Field(default={})
    id: str = ""
    ts: int = 0


class GivenFirst(BaseModel):
    """What came first, by the name of its entry; without an event for a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    event: GivenEvent | None = None


class GivenError(BaseModel):
    """Why a step has failed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "Resolved"
    message: str


class ByHand:
    """Makes outcomes of steps of a run.

    Args:
        subject: the run.
        now: ms UTC, of events that are given without a time.
        most: bytes of an outcome.
        id: of an event that is given without one; by default a new one.
    """

    __slots__ = ("_id", "_most", "_now", "_subject")

    def __init__(self, subject: Subject, now: int, most: int, id: str = "") -> None:
        self._id = id
        self._subject = subject
        self._now = now
        self._most = most

    def output(self, row: StepRow, value: Any) -> bytes:
        """The payload of a step that is done. Raises `Unfit`, and `NotNow` for a sleep."""
        return self._checked(row, self._output(row, value))

    def error(self, row: StepRow, value: Any) -> bytes:
        """The payload of a step that has failed. Raises `Unfit`, and `NotNow` for a sleep."""
        if row.kind == "sleep":
            raise NotNow(f"step {row.key!r} is a sleep, which cannot fail", "Wake it")
        given = _read(GivenError, value, row.key)
        return self._checked(row, failed(given.type, given.message, self._subject.child(row.key)))

    def _checked(self, row: StepRow, payload: bytes) -> bytes:
        if len(payload) > self._most:
            raise Unfit(
                f"step {row.key!r}: the output has {len(payload):,} bytes; the limit is {self._most:,}",
                "The setting is STEPWELL_MAX_OUTPUT_BYTES",
            )
        return payload

    def _output(self, row: StepRow, value: Any) -> bytes:
        match row.kind:
            case "sleep":
                raise NotNow(f"step {row.key!r} is a sleep, which has no output", "Wake it")
            case "wait_for_event":
                return b"null" if value is None else encode(self._event(row, value))
            case "wait_for_any":
                return encode(self._first(row, value))
            case _:
                return encode(value)

    def _event(self, row: StepRow, value: Any) -> dict[str, Any]:
        events = pending_of(row).events
        return self._filled(_read(GivenEvent, value, row.key), events[0].name if events else _name_in(row), row.key)

    def _filled(self, event: GivenEvent, name: str, key: str) -> dict[str, Any]:
        if not (event.name or name):
            raise Unfit(f"step {key!r}: the event has no name", 'Give it one: {"name": "order.approved", "data": {…}}')
        # What the step waits for is right as it is, also when it is an event of the platform's own.
        own = event.name in ("", name)
        try:
            given = parse_event({**event.model_dump(), "name": "own" if own else event.name})
        except BadEvent as mistake:
            raise Unfit(f"step {key!r}: the event: {mistake}", "What is left out is filled in") from None
        made = given.sender_id or self._id or new_id(self._now, partition_of(self._subject.run.id))
        return {"id": made, "name": name if own else given.name, "data": given.data, "ts": given.ts or self._now}

    def _first(self, row: StepRow, value: Any) -> list[Any]:
        first, (names, timer) = _read(GivenFirst, value, row.key), _entries(row)
        if first.name not in names and first.name != timer:
            raise _unknown(row, first.name, names, timer)
        if (first.event is None) is (first.name in names):
            raise _mistaken(row, first, timer)
        if first.event is None:
            return [first.name]
        return [first.name, self._filled(first.event, names[first.name], row.key)]


def is_recorded(subject: Subject, row: StepRow, output: Given | None, error: Given | None, most: int) -> bool:
    """Whether a wait has ended with just this outcome. `most` bytes of one."""
    if row.kind not in (EVENT, ANY, INVOKE, SIGNAL) or (output is None) == (error is None):
        return False
    event = event_taken(row)
    by_hand = ByHand(subject, event.get("ts", 0), most, event.get("id", ""))
    try:
        if error is not None:
            return row.state == "failed" and row.payload == by_hand.error(row, error.value)
        return output is not None and row.state == "done" and row.payload == by_hand.output(row, output.value)
    except Unfit:
        return False


def is_over(row: StepRow) -> bool:
    """Whether a wait has ended as its time ends it; see lua/include/steps.lua."""
    match row.kind:
        case "sleep":
            return row.state == "done"
        case "wait_for_event" | "wait_for_signal":
            return row.state == "done" and row.payload == b"null"
        case "wait_for_any":
            return row.state == "done" and len(decode(row.payload)) == 1
        case "invoke":
            return row.state == "failed" and decode(row.payload)["type"] == "Timeout"
        case _:
            return False


def event_taken(row: StepRow) -> dict[str, Any]:
    """The event that a wait has ended with; empty when there was none."""
    if row.state != "done" or row.kind not in (EVENT, ANY):
        return {}
    outcome: list[Any] | dict[str, Any] | None = decode(row.payload)
    event: dict[str, Any] | str | None = outcome[-1] if isinstance(outcome, list) else outcome
    return event if isinstance(event, dict) else {}


def _entries(row: StepRow) -> tuple[dict[str, str], str | None]:
    """What a wait for the first of several waits for: names of events by those of their entries; and that of a time.

    Of one that has its outcome, what that tells: the entry, if it was a time, or given by hand.
    """
    if row.state == "pending":
        sought = pending_of(row)
        return {event.entry: event.name for event in sought.events}, sought.timer
    outcome: list[Any] = decode(row.payload) if row.state == "done" else []
    match outcome:
        case [str(name), event]:
            return {name: event["name"]}, None
        case [str(name)]:
            return {}, name
        case _:
            return {}, None


def _unknown(row: StepRow, name: str, names: Iterable[str], timer: str | None) -> Unfit:
    known = ", ".join([*names, *([] if timer is None else [timer])])
    if row.state == "pending":
        return Unfit(f"step {row.key!r} waits for no {name!r}", f"It waits for {known}")
    told = f"only {known!r} is" if known else "none is"
    return Unfit(
        f"step {row.key!r} has its outcome, and of the entries it waited for {told} kept: {name!r} cannot be checked",
        "Leave the output out, and resolve the step of the new run when that waits",
    )


def _mistaken(row: StepRow, first: GivenFirst, timer: str | None) -> Unfit:
    if first.name == timer:
        return Unfit(f"step {row.key!r}: {first.name!r} is a time, which has no event", "Leave the event out")
    mend = 'Give it: {"name": …, "event": {"data": {…}}}'
    return Unfit(f"step {row.key!r}: {first.name!r} is an event", mend)


def _name_in(row: StepRow) -> str:
    """Of the event that the step has taken."""
    return str(event_taken(row).get("name", ""))


def _read(model: Any, value: Any, key: str) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "what was given"
        # What pydantic says of it has the name of our class.
        said = "it is no JSON object" if first["type"] == "model_type" else first["msg"]
        shapes = {
            GivenEvent: 'an event is {"name": …, "data": {…}}, or null for none',
            GivenFirst: 'what came first is {"name": its entry, "event": {"data": {…}}}',
            GivenError: 'an error is {"type": …, "message": …}',
        }
        raise Unfit(f"step {key!r}: {where}: {said}", shapes[model].capitalize()) from None
