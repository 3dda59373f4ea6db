"""What the page of an event shows."""

import asyncio
from dataclasses import dataclass, replace

from stepwell.dashboard.event.missing import Missing, judged
from stepwell.dashboard.events.outcome import nothing
from stepwell.dashboard.send.commands import Commands, commands
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.lengths import Length, executing
from stepwell.dashboard.wording.moments import Moment, coming, past
from stepwell.dashboard.wording.payloads import Payload, payload
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.codec import encode
from stepwell.platform.flow.judging import Unkeyed
from stepwell.platform.history import RunView
from stepwell.platform.incoming import RESERVED
from stepwell.platform.installation import Installation
from stepwell.platform.records import EventRecord

MOST_RUNS = 50


@dataclass(frozen=True, slots=True)
class Run:
    """A run that the event started; or `joined`, when it was another one's."""

    id: str
    tone: Tone
    function: str
    joined: bool
    length: Length | None
    created: Moment


@dataclass(frozen=True, slots=True)
class EventView:
    """The page.

    Args:
        happened: when, if that is not when it was received; `ahead` when it has not come yet.
        runs: the first of `count` that it has started or joined; `hidden` others are kept, `gone` are not.
        nothing: why it has started nothing, when no function has anything to say about it.
        trigger: how a function listens for it, if none does; else empty.
        commands: that send the like of it; `None` when it is hidden, too large, or of the platform itself.
        again: address of the form that does so; empty when it is of the platform itself.
        known: it was just sent again with the same id.
        live: something of it is still to come.
    """

    id: str
    name: str
    sender_id: str
    received: Moment
    happened: Moment | None
    ahead: bool
    count: int
    runs: tuple[Run, ...]
    hidden: int
    gone: int
    missing: tuple[Missing, ...]
    unkeyed: tuple[Unkeyed, ...]
    nothing: str
    trigger: str
    data: Payload
    commands: Commands | None
    again: str
    known: bool
    live: bool


async def event_view(installation: Installation, id: str, origin: str, *, seen: bool, known: bool) -> EventView | None:
    """Reads an event and its runs, without its data unless that may be `seen`. `None` if there is no such event."""
    history, now = installation.history, installation.clock.now()
    event, snapshot = await asyncio.gather(history.event(id), installation.registry.load())
    if event is None:
        return None
    shown = replace(event, runs=event.runs[:MOST_RUNS])
    runs = await history.event_runs(shown)
    found = judged(event, snapshot, seen=seen)
    own, body = event.name.startswith(RESERVED), encode(event.data)
    return EventView(
        id=id,
        name=event.name,
        sender_id=event.sender_id,
        received=past(event.received, now),
        happened=_happened(event, now),
        ahead=event.ts > now,
        count=len(event.runs),
        runs=tuple(_run(view, id, now) for view in runs),
        hidden=len(event.runs) - len(shown.runs),
        gone=len(shown.runs) - len(runs),
        missing=found.missing,
        unkeyed=found.unkeyed,
        nothing="" if event.runs or found.missing else nothing(event.name, snapshot),
        trigger="" if own or snapshot.is_heard(event.name) else f"@app.function(on={event.name!r})",
        data=_data(id, body, seen=seen),
        commands=commands(origin, event.name, body) if seen and not own else None,
        again="" if own else f"/events/send?from={id}",
        known=known,
        live=event.ts > now or any(not one.run.status.ended for one in runs),
    )


def _data(id: str, body: bytes, *, seen: bool) -> Payload:
    found = payload(body, f"/events/{id}/data")
    return found if seen else found.without_content()


def _happened(event: EventRecord, now: int) -> Moment | None:
    if event.ts == event.received:
        return None
    return coming(event.ts, now) if event.ts > now else past(event.ts, now)


def _run(view: RunView, event: str, now: int) -> Run:
    run = view.run
    return Run(
        id=run.id,
        tone=tone.of_run(run),
        function=run.function,
        joined=run.event != event,
        length=executing(run, now),
        created=past(view.created, now),
    )
