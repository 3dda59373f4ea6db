"""The "waiting because" line: why a run does not go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.durations import elapsed
from stepwell.dashboard.wording.failures import failure_view
from stepwell.dashboard.wording.moments import Moment, coming
from stepwell.dashboard.wording.texts import capital
from stepwell.platform.reading.pending import Pending, SoughtEvent
from stepwell.platform.reading.wait import Wait

MOST_LINES = 5
PLAIN: Mapping[str, str] = MappingProxyType(
    {
        "paused": "Its function is paused",
        "moved": "Runs of its function execute where it lived before the last deploy, begins after them",
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is waited for, as a line of parts: `text`, `step`, what comes `then`, and `when` that is.

    `error` is of the last attempt, `command` what helps, `can` what may be done now: "retry", "wake" or "resolve".
    `links`: runs it waits for; `sends`: names of events that would end it.
    """

    text: str
    step: str | None = None
    then: str = ""
    when: Moment | None = None
    error: str | None = None
    command: str | None = None
    can: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """The reasons, and how many more there are."""

    reasons: tuple[Reason, ...]
    more: int


def waiting(waits: Sequence[Wait], now: int) -> Waiting | None:
    """Why a run waits; `None` when it does not. What ends first comes first."""
    if not waits:
        return None
    reasons = tuple(reason(wait, now) for wait in waits[:MOST_LINES])
    return Waiting(reasons, len(waits) - len(reasons))


def reason(wait: Wait, now: int) -> Reason:
    """One wait in words."""
    when = coming(wait.until, now) if wait.until else None
    match wait.kind:
        case "sleep":
            return Reason("Sleeping in", wait.step, ", wakes", when, can=("wake",))
        case "retry" if wait.step:
            text = f"{_failed(wait.attempts)} of"
            return Reason(text, wait.step, ", tries again", when, _error(wait.error), can=("retry",))
        case "retry":
            text = f"{_failed(wait.attempts)} of the function, runs again"
            return Reason(text, when=when, error=_error(wait.error), can=("retry",))
        case "wait_for_event" | "wait_for_any":
            text, can = f"Waiting for {_events(wait.what.events)} in", _can(when)
            sends = tuple(dict.fromkeys(event.name for event in wait.what.events))
            return Reason(text, wait.step, _longest(when), when, can=can, sends=sends)
        case "invoke":
            links = (wait.what.child,) if wait.what.child else ()
            return Reason(_invoked(wait.what), wait.step, _longest(when), when, can=_can(when), links=links)
        case "wait_for_signal":
            text = f"Waiting for the signal “{wait.what.signal}” in"
            return Reason(text, wait.step, _longest(when), when, can=_can(when))
        case kind if wait.step:
            return Reason(f"Waiting ({kind}) in", wait.step, _longest(when), when)
        case _:
            return _queued(wait, when, now)


def _queued(wait: Wait, when: Moment | None, now: int) -> Reason:
    """Why a run is not executing although none of its steps waits."""
    match wait.kind:
        case "start":
            return Reason("Its event asks for a later start, begins", when=when)
        case "debounce":
            return Reason("Begins once no other event of its key has come for a while, at the earliest", when=when)
        case "batch":
            return Reason(f"Gathering {counted(wait.events or 1, 'event')} so far, begins at the latest", when=when)
        case "throttle":
            return Reason(f"As many runs{_of_key(wait)} have begun as its throttle lets, the next may", when=when)
        case "worker":
            text = "No worker serves this function. Start one for the file that holds its app:"
            return Reason(text, command="stepwell worker path/to/app.py")
        case "away":
            return Reason(f"{_away(wait, now)}, called again", when=when)
        case "concurrency":
            return Reason(_slots(wait), links=wait.holders)
        case "queue":
            return Reason(_ahead(wait.ahead))
        case kind:
            return Reason(PLAIN.get(kind, f"Waiting ({kind})"), when=when)


def _can(when: Moment | None) -> tuple[str, ...]:
    return ("wake", "resolve") if when else ("resolve",)


def _longest(when: Moment | None) -> str:
    return ", at the longest" if when else ""


def _events(events: Sequence[SoughtEvent]) -> str:
    names = [f"“{event.name}” if {event.condition}" if event.condition else f"“{event.name}”" for event in events]
    return f"the event {' or '.join(names)}" if names else "a time"


def _invoked(what: Pending) -> str:
    return f"Waiting for a run of {what.function}, invoked by" if what.child else "Waiting (invoke) in"


def _failed(attempts: int | None) -> str:
    return counted(attempts or 1, "failed attempt")


def _slots(wait: Wait) -> str:
    place = f", {wait.position} before it" if wait.position else ", next in line" if wait.position == 0 else ""
    return f"Every slot{_of_key(wait)} is taken, {wait.held} of {wait.limit}{place}"


def _of_key(wait: Wait) -> str:
    return f" of the key “{wait.key}”" if wait.key else ""


def _ahead(ahead: int | None) -> str:
    return f"Behind {counted(ahead, 'run')} of its lane" if ahead else "Next of its lane, until a worker has room"


def _away(wait: Wait, now: int) -> str:
    since = f" for {elapsed(now - wait.since)}" if wait.since else ""
    return f"{capital(wait.why or '')}{since}"


def _error(error: bytes | None) -> str | None:
    found = failure_view(error)
    return found.line if found else None
