"""The form by which a function is invoked, and what was typed into it."""

from dataclasses import dataclass
from typing import Any

from stepwell.dashboard.typed import typed_object

EMPTY = "{}"


@dataclass(frozen=True, slots=True)
class InvokeView:
    """The form. `typed` is the data as it was typed; `error` says why that started nothing, or is empty."""

    function: str
    typed: str = EMPTY
    error: str = ""


def data_of(typed: str) -> dict[str, Any]:
    """What was typed, nothing being no data. Raises `Mistyped`."""
    return typed_object(typed.strip() or EMPTY, "the data of the event")
