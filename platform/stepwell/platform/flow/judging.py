"""What the functions that are registered now make of an event that has come before."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stepwell.platform.flow.controls import expressions_of
from stepwell.platform.flow.key import KeyFailed, evaluate
from stepwell.platform.snapshot import Snapshot

CONDITION = "no trigger of the function, as it is registered now, has a condition that is true for this event"


@dataclass(frozen=True, slots=True)
class Unkeyed:
    """An expression of a control cannot be evaluated for an event, which counts as one without a value.

    Args:
        function: as `app/function`.
        control: whose expression it is.
        message: why.
    """

    function: str
    control: str
    message: str


def left_out(snapshot: Snapshot, name: str, event: Mapping[str, Any]) -> list[str]:
    """The functions that start on events of this name, but not on this one."""
    return [function.id for function in snapshot.subscriptions.left_out(name, event)]


def unkeyed(snapshot: Snapshot, name: str, event: Mapping[str, Any]) -> Iterator[Unkeyed]:
    """The expressions of controls of the functions that start on this event that cannot be evaluated for it."""
    for function in snapshot.subscriptions.started_by(name, lambda: event):
        for control, text in expressions_of(function.manifest):
            try:
                evaluate(text, event)
            except KeyFailed as error:
                yield Unkeyed(function.id, control, str(error))
