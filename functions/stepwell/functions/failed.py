"""What an `on_failure` handler is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from stepwell.functions.received import ReceivedEvent
from stepwell.functions.triggers import EventTrigger

FAILED: Final = "inngest/function.failed"
"""The event that the platform sends when a run has failed."""


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run has failed.

    Args:
        type: name of the error's class.
        message: its text.
        traceback: as recorded: frames {file, line, function}, or text.
    """

    type: str
    message: str
    traceback: list[dict[str, Any]] | str | None = None


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run that has failed: the data of an `on_failure` handler, `Context[RunFailed]`.

    Args:
        function: "app-id/function-id".
        run_id: of the run.
        error: why.
        event: that started it.
        events: all that started it, oldest first; more than one for a batch, of which as many as make up 256 KiB.
    """

    function: str
    run_id: str
    error: RunError
    event: ReceivedEvent
    events: list[ReceivedEvent] = field(default_factory=list[ReceivedEvent])

    def __post_init__(self) -> None:
        if not self.events:
            object.__setattr__(self, "events", [self.event])


def failures_of(function: str) -> EventTrigger:
    """What starts a function when a run of another one has failed.

    Args:
        function: "app-id/function-id" of the other one.
    """
    return EventTrigger(FAILED, f"event.data.function == '{function}'")
