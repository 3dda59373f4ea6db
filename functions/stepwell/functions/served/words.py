"""How a server and an app of ours tell each other of runs, in the field `stepwell` of the SDK protocol's messages.

What is recorded travels as the text that it is recorded as, so that no number is read and written again on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import orjson

from stepwell.functions.journal import Outcome, State
from stepwell.functions.waits import EventWait

OURS: Final = "stepwell"
"""The field, and how the name of our SDK begins where SDKs say theirs."""
SDK: Final = "x-inngest-sdk"
SIGNATURE: Final = "x-inngest-signature"
NO_RETRY: Final = "x-inngest-no-retry"
RETRY_AFTER: Final = "retry-after"
SYNC: Final = "x-inngest-sync-kind"
KIND: Final = "x-inngest-server-kind"
FUNCTION: Final = "fnId"
"""In the query of a function's address."""


def journal_path(run: str) -> str:
    """Where an app records what the steps of a run do while it executes it."""
    return f"/v1/checkpoint/{run}/journal"


def row_of(outcome: Outcome) -> list[Any]:
    """An outcome as it is told; what a wait keeps for itself is left out."""
    payload = outcome.payload.decode() if outcome.ended or outcome.state == "retrying" else ""
    return [outcome.key, outcome.kind, outcome.state, outcome.turn, outcome.attempts, outcome.due, payload]


def outcome_of(row: Any) -> Outcome:
    """An outcome that was told. Raises `ValueError`."""
    try:
        key, kind, state, turn, attempts, due, payload = row
        return Outcome(str(key), str(kind), cast("State", state), int(turn), int(attempts), int(due), payload.encode())
    except (TypeError, AttributeError):
        raise ValueError("a step is not told of as a list of seven") from None


def told(body: object) -> Mapping[str, Any]:
    """What is ours of a message, or of a part of it; nothing when there is nothing."""
    field = cast("dict[str, Any]", body).get(OURS) if isinstance(body, dict) else None
    return cast("dict[str, Any]", field) if isinstance(field, dict) else {}


def wait_told(wait: EventWait) -> dict[str, Any]:
    """What a step waits for."""
    return {"event": wait.event, "match": wait.match, "if": wait.if_, "lookback": wait.lookback}


def wait_of(given: Mapping[str, Any]) -> EventWait:
    """What a step waits for. Raises `InvalidStep`."""
    return EventWait(given["event"], given["match"], given["if"], given["lookback"])


def text(value: object) -> bytes:
    """Compact JSON."""
    return orjson.dumps(value)
