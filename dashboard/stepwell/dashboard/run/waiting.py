"""The "waiting because" line: why a run does not go on."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.dashboard.wording.moments import Moment, coming
from stepwell.platform.api.views import failure
from stepwell.platform.reading.waiting import Wait

MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is waited for: `text`, then the `step` it concerns, `when` it goes on, what failed, what helps."""

    text: str
    step: str | None = None
    when: Moment | None = None
    error: str | None = None
    command: str | None = None


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
            return Reason("Sleeping", wait.step, when)
        case "retry":
            what = "Trying again" if wait.step else "Running the function again"
            return Reason(f"{what}{_after(wait.attempts)}", wait.step, when, _error(wait.error))
        case "start":
            return Reason("Its event asks for a later start", when=when)
        case "worker":
            text = "No worker serves this function. Start one for the file that holds its app:"
            return Reason(text, command="stepwell worker path/to/app.py")
        case "concurrency":
            return Reason(_slots(wait))
        case "queue":
            return Reason(_ahead(wait.ahead))
        case kind:
            return Reason(f"Waiting ({kind})", wait.step, when)


def _after(attempts: int | None) -> str:
    return f" after {_counted(attempts, 'failed attempt')}" if attempts else ""


def _slots(wait: Wait) -> str:
    key = f" of the key “{wait.key}”" if wait.key else ""
    return f"Every slot{key} is taken: {wait.held} of {wait.limit} run"


def _ahead(ahead: int | None) -> str:
    return f"Behind {_counted(ahead, 'run')} of its lane" if ahead else "Next of its lane, until a worker has room"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _error(error: bytes | None) -> str | None:
    found = failure(error)
    return f"{found.type}: {found.message}" if found else None
