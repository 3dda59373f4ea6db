"""What an execution begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.functions.journal import Outcome
from stepwell.functions.values import OUTPUT_LIMIT


@dataclass(frozen=True, slots=True)
class Start:
    """A leased run.

    Args:
        run_id: of the run.
        function_id: "app-id/function-id".
        events: what started it, each {id, name, data, ts}: one, or those of a batch, oldest first.
        attempt: tries of the function body before this one.
        max_attempts: tries of the function body altogether.
        outcomes: every step recorded so far, in any order.
        turn: the last turn given out.
        now: ms UTC when the run was leased; 0 when unknown, then a `RetryAfter(datetime)` cannot be honoured,
            and of durations and moments in one `wait_for_any` only the durations count.
        output_limit: bytes a step or the function may give.
    """

    run_id: str
    function_id: str
    events: Sequence[Mapping[str, Any]]
    attempt: int
    max_attempts: int
    outcomes: list[Outcome]
    turn: int
    now: int = 0
    output_limit: int = OUTPUT_LIMIT
