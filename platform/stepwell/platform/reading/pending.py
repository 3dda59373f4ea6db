"""What a step that waits has written down about that, besides the time."""

from dataclasses import dataclass
from typing import Any, cast

from stepwell.platform.codec import decode
from stepwell.platform.incoming import LATEST
from stepwell.platform.records import StepRow


@dataclass(frozen=True, slots=True)
class SoughtEvent:
    """An event that is waited for.

    Args:
        name: of the event.
        condition: that it has to fulfil, or "".
        entry: its name in a wait for the first of several, or "".
    """

    name: str
    condition: str
    entry: str


@dataclass(frozen=True, slots=True)
class Pending:
    """What is waited for.

    Args:
        events: each of which ends the wait.
        timer: name of the time that does, in a wait for the first of several.
        child: the run that was invoked.
        function: of that run.
        signal: that ends the wait.
    """

    events: tuple[SoughtEvent, ...] = ()
    timer: str | None = None
    child: str | None = None
    function: str | None = None
    signal: str | None = None


NOTHING = Pending()


def pending_of(row: StepRow) -> Pending:
    """Out of the row of a step; nothing when it does not wait, or sleeps. See executor/journal.py."""
    head, _, text = row.payload.partition(b"\n")
    if row.state != "pending" or not text:
        return NOTHING
    shown = decode(text)
    if row.kind == "invoke":
        return Pending(child=shown["run"] or None, function=shown["function"])
    if "signal" in shown:
        return Pending(signal=shown["signal"])
    due: Any = decode(head.partition(b" ")[2])
    names = shown.get("names") or [""] * len(shown["waits"])
    parts = zip(shown["waits"], shown["conditions"], names, strict=True)
    events = tuple(SoughtEvent(wait["name"], condition, name) for wait, condition, name in parts)
    return Pending(events, cast("list[str]", due)[0] if isinstance(due, list) else None)


def until(row: StepRow) -> int | None:
    """When a wait or a retry is due, ms UTC; `None` when there is no such time."""
    return row.due if row.due and row.due != LATEST else None
