"""What is said of a value that cannot be recorded."""

from __future__ import annotations

from typing import Final, get_args

from pydantic import ValidationError

from stepwell.functions.errors import InvalidValue
from stepwell.functions.received import ReceivedEvent
from stepwell.functions.values import UNFIT, Codec, Typed, reason
from stepwell.functions.waits import First

VOWELS: Final = "aeioAEIO"
"""Most names that begin with a U do so as `User` and `UUID`, which have none there when they are said."""
MISFITTING: Final = "Pydantic serializer warnings"
"""How the text of pydantic's error begins when a value is not what its annotation says."""


def misfit(what: str, body: str, annotation: object, codec: Codec, value: object, error: Exception) -> InvalidValue:
    """Why what a callable returned could not be written, and what to change.

    Args:
        what: the function, and the step if it was one.
        body: the callable that returned it.
        annotation: of what it returns.
        codec: made from it.
        value: as returned.
        error: from the codec.
    """
    name = type(value).__name__
    kind = f"{'an' if name[0] in VOWELS else 'a'} {name}"
    given = "None" if value is None else f"{value!r:.200} ({kind})"
    if isinstance(codec, Typed) and (str(error).startswith(MISFITTING) or not _fits(codec, value)):
        return InvalidValue(
            f"{what} returned {given}{_where(codec, value)}, and {body} is annotated to return "
            f"{shown(annotation)}: change one of the two"
        )
    if isinstance(value, ReceivedEvent | First):
        hint = "its `.data`" if isinstance(value, ReceivedEvent) else "its `.name`, or `.event.data`"
        return InvalidValue(f"{what} returned {kind}, which is no JSON value: return {hint}")
    return InvalidValue(
        f"{what} returned {kind} that cannot be recorded: {reason(error)}. "
        f"Return plain JSON values, or say in the return annotation of {body} what it is"
    )


def shown(annotation: object) -> str:
    """An annotation as people write it."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _fits(codec: Typed, value: object) -> bool:
    try:
        codec.adapter.validate_python(value, strict=True)
    except UNFIT:
        return False
    return True


def _where(codec: Typed, value: object) -> str:
    """What is wrong inside a value, when pydantic can say it."""
    try:
        codec.adapter.validate_python(codec.adapter.dump_python(value, warnings=False))
    except ValidationError as error:
        return f", in which {reason(error)}" if error.errors(include_url=False)[0]["loc"] else ""
    except UNFIT:
        pass
    return ""
