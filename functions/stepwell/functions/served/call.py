"""A call of the server: the run that it is about, and what it has been through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from stepwell.functions.replay import Start
from stepwell.functions.served.words import outcome_of, told
from stepwell.functions.values import OUTPUT_LIMIT


class BadCall(Exception):
    """What is no call of a server of ours; says why."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Args:
        token: the right to record what the run does.
        start: what the execution begins with.
    """

    token: str
    start: Start


def call_of(body: Any) -> Call:
    """Reads the body of a call. Raises `BadCall`."""
    ours = told(body)
    if not ours:
        raise BadCall("the call does not come from a Stepwell server: it has no field 'stepwell'")
    try:
        return Call(str(ours["token"]), _start(ours))
    except (KeyError, TypeError, ValueError) as error:
        raise BadCall(f"the call cannot be read: {type(error).__name__}: {error}") from None


def _start(ours: Mapping[str, Any]) -> Start:
    return Start(
        run_id=str(ours["run"]),
        function_id=str(ours["function"]),
        events=[dict(event) for event in orjson.loads(ours["events"])],
        attempt=int(ours["attempt"]),
        max_attempts=int(ours["max_attempts"]),
        outcomes=[outcome_of(row) for row in ours["steps"]],
        turn=int(ours["turn"]),
        now=int(ours["now"]),
        output_limit=int(ours.get("output_limit", OUTPUT_LIMIT)),
    )
