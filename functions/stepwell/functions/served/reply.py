"""How a call is answered: with the ending of its execution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from stepwell.functions.replay import Cancelled, Completed, Ending, Failed, Released, Retry, Suspended
from stepwell.functions.served.words import NO_RETRY, OURS, RETRY_AFTER, text

REPORT: Final = 206


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of HTTP; its body is JSON."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def reply(ending: Ending, drift: Sequence[str], unsaved: Sequence[Mapping[str, Any]], why: str) -> Answer:
    """The answer to a call.

    Args:
        ending: of the execution.
        drift: recorded steps that the code does not ask for any more.
        unsaved: steps that were executed and could not be recorded.
        why: what has kept the app from recording; "" for nothing.
    """
    match ending:
        case Completed(output):
            return _report("RunComplete", {"output": output.decode(), "drift": drift})
        case Suspended(turn, within):
            return _report("None", {"turn": turn, "within": within})
        case Cancelled():
            return _report("None", {"cancelled": True})
        case Released():
            return _report("DiscoveryRequest", {"unsaved": unsaved, "why": why})
        case Failed(error):
            return _error(400, error, {"error": error.decode(), "drift": drift}, {NO_RETRY: "true"})
        case Retry(error, delay):
            more = {"error": error.decode(), "delay": delay}
            return _error(500, error, more, {NO_RETRY: "false", RETRY_AFTER: str(math.ceil(delay / 1000))})


def problem(status: int, name: str, message: str) -> Answer:
    """An answer to what is no call that can be executed."""
    return Answer(status, text({"name": name, "message": message, "error": message}))


def _report(code: str, ours: Mapping[str, Any]) -> Answer:
    return Answer(REPORT, text([{"op": code, "id": code, OURS: ours}]))


def _error(status: int, error: bytes, ours: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    known: dict[str, Any] = orjson.loads(error)
    body = {"name": known["type"], "message": known["message"], OURS: ours}
    return Answer(status, text(body), headers)
