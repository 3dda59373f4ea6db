"""The form by which a function is invoked, and what was typed into it."""

from dataclasses import dataclass
from typing import Any, cast

from stepwell.platform.codec import MalformedJSON, decode

EMPTY = "{}"


@dataclass(frozen=True, slots=True)
class InvokeView:
    """The form. `typed` is the data as it was typed; `wrong` and `hint` say why that started nothing, or are empty."""

    function: str
    typed: str = EMPTY
    wrong: str = ""
    hint: str = ""


class Mistyped(ValueError):
    """What was typed is no data of an event; its text says why."""


def data_of(typed: str) -> dict[str, Any]:
    """What was typed, nothing being no data. Raises `Mistyped`."""
    try:
        given = decode(typed.strip() or EMPTY)
    except MalformedJSON as error:
        raise Mistyped(f"this is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise Mistyped("this is JSON, but not an object")
    return cast("dict[str, Any]", given)
