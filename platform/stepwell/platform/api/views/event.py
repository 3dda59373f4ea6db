"""Events as JSON models."""

from stepwell.platform.api.models.event import Event, Refusal, Unkeyed
from stepwell.platform.flow import judging
from stepwell.platform.flow import refusal as flow
from stepwell.platform.records import EventRecord
from stepwell.platform.snapshot import Snapshot
from stepwell.platform.waits.outcome import event_json


def event(record: EventRecord) -> Event:
    """An event."""
    return Event(
        id=record.id,
        sender_id=record.sender_id or None,
        name=record.name,
        data=record.data,
        ts=record.ts,
        received_at=record.received,
        runs=list(record.runs),
        refusals=[_refusal(function, refusal) for function, refusal in record.refusals],
    )


def event_judged(record: EventRecord, snapshot: Snapshot) -> Event:
    """An event, with what the functions that are registered now make of it."""
    told = event_json(record)
    refused = {function for function, _ in record.refusals}
    missed = [one for one in judging.left_out(snapshot, record.name, told) if one not in refused]
    shown = event(record)
    conditions = [Refusal(function=one, reason="condition", run=None, message=judging.CONDITION) for one in missed]
    unkeyed = [
        Unkeyed(function=one.function, control=one.control, message=one.message)
        for one in judging.unkeyed(snapshot, record.name, told)
    ]
    return shown.model_copy(update={"refusals": [*shown.refusals, *conditions], "unkeyed": unkeyed})


def _refusal(function: str, refusal: flow.Refusal) -> Refusal:
    return Refusal(function=function, reason=refusal.reason, run=refusal.run or None, message=refusal.text)
