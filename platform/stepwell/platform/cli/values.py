"""Outputs, errors and waits in one line each; and values that are given."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.client import Cause, Failure, Step
from stepwell.platform.cli.console import Misuse
from stepwell.platform.cli.times import moment
from stepwell.platform.codec import MalformedJSON, decode, encode

WIDTH = 100


def shortened(text: str, width: int = WIDTH) -> str:
    """The text as one line of at most `width` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def payload(value: Any, *, hidden: bool) -> str:
    """A value as JSON, unless the API key may not see it."""
    return "(hidden from this API key)" if hidden else encode(value).decode()


def given_json(what: str, text: str) -> Any:
    """The value that `text`, or standard input for "-", is the JSON of. Raises `Misuse`, which calls it `what`."""
    try:
        return decode(sys.stdin.read() if text == "-" else text)
    except MalformedJSON as error:
        raise Misuse(f"""{what} is not JSON ({error}): write it as '{{"id": "A-1"}}', in single quotes""") from None


def failure(error: Failure | Cause) -> str:
    """Type and message."""
    return f"{error.type}: {error.message}" if error.message else error.type


RELATIONS = {"cause": "raised from", "context": "raised while this was handled", "member": "one of the group"}


def traced(error: Failure) -> str:
    """An error with its traceback, and those it has come from with theirs."""
    more = [f"and {error.causes_cut} more, which are not kept"] if error.causes_cut else []
    causes = [f"{RELATIONS.get(cause.relation, cause.relation)}: {_traced(cause)}" for cause in error.causes]
    return "\n\n".join([_traced(error), *causes, *more])


def _traced(error: Failure | Cause) -> str:
    return f"{error.traceback.rstrip()}\n{failure(error)}" if error.traceback else failure(error)


def waits(waiting: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """What a run waits for, one line for each thing."""
    return [_away(wait) if wait["kind"] == "away" else _wait(wait) for wait in waiting or ()]


def _away(wait: Mapping[str, Any]) -> str:
    since = f" since {moment(wait['since'])}" if wait["since"] else ""
    return f"its app: {wait['why']}{since}, next try at {moment(wait['until'])}"


def _tried(wait: Mapping[str, Any]) -> str:
    attempts = "1 attempt" if wait["attempts"] == 1 else f"{wait['attempts']} attempts"
    error = wait.get("error")
    return f"after {attempts}" + (shortened(f": {error['type']}: {error['message']}") if error else "")


KNOWN = {
    "worker": "a worker: none serves its function",
    "moved": "runs of its function that execute where it lived before the last deploy",
}


def _wait(wait: Mapping[str, Any]) -> str:
    until = f" until {moment(wait['until'])}" if wait.get("until") else ""
    match wait["kind"]:
        case "retry":
            return f"a retry of {wait['step'] or 'the function'}{until}, {_tried(wait)}"
        case "start":
            return f"its start{until}"
        case "concurrency":
            key = f" for {wait['key']!r}" if wait.get("key") else ""
            return f"a slot{key}: {wait['held']} of {wait['limit']} are taken{_ahead(wait)}"
        case "throttle":
            key = f" for {wait['key']!r}" if wait.get("key") else ""
            return f"its throttle{key}{until}{_ahead(wait)}"
        case "debounce":
            return f"no other event to come{until}"
        case "batch":
            return f"more events than the {wait['gathered']} it has{until}"
        case "paused":
            return f"its function to be resumed, which is paused ({wait['mode']})"
        case "queue":
            return f"its turn: {wait['ahead']} runs are before it" if wait.get("ahead") else "its turn: it is next"
        case kind if kind in KNOWN:
            return KNOWN[kind]
        case kind:
            return f"{kind} {wait['step']}{_sought(wait)}{until}"


def _ahead(wait: Mapping[str, Any]) -> str:
    return f", {wait['ahead']} runs are before it" if wait.get("ahead") else ""


def waiting(step: Step) -> str:
    """What a step waits for, and until when."""
    sought = _events(step.events) or (f"run {step.child_id}" if step.child_id else "")
    until = f"until {moment(step.wakes_at)}" if step.wakes_at else ""
    return " ".join(part for part in (sought, until) if part)


def _sought(wait: Mapping[str, Any]) -> str:
    if wait.get("child_id"):
        return f": run {wait['child_id']} of {wait['function']}"
    if wait.get("signal"):
        return f": signal {wait['signal']}"
    events = _events(wait.get("events") or ())
    return f": {events}" if events else ""


def _events(events: Sequence[Mapping[str, Any]]) -> str:
    return " or ".join(_event(event) for event in events)


def _event(event: Mapping[str, Any]) -> str:
    return f"{event['name']} if {event['condition']}" if event.get("condition") else str(event["name"])
