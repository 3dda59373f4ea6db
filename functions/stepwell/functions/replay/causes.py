"""What an exception has come from: those it was raised from, or while they were handled, and the members of a group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, cast

from stepwell.functions.replay.frames import plain, traced

MOST: Final = 8
LOOKED_AT: Final = 1_000
ROOM: Final = 48 << 10
"""Bytes of all of them; each has the same part, a quarter of it for its message."""
FRAMES: Final = 32


def causes_of(error: BaseException) -> dict[str, Any]:
    """The causes of an exception, the nearest first, and how many were cut; nothing when there are none."""
    found = list(islice(_walk(error), LOOKED_AT))
    if not found:
        return {}
    kept = found[:MOST]
    room = ROOM // len(kept)
    causes = [{"relation": relation, **described(cause, room // 4, FRAMES, room)} for relation, cause in kept]
    return {"causes": causes, "causes_cut": len(found) - MOST} if len(found) > MOST else {"causes": causes}


def described(error: BaseException, characters: int, frames: int, room: int) -> dict[str, Any]:
    """Type, message and traceback of an exception, in `room` bytes or so."""
    message = text_of(error)
    if len(message) > characters:
        message = f"{message[:characters]}… ({len(message) - characters:,} more characters)"
    # A character may have four bytes, so what is left for the traceback is counted.
    left = max(0, room - len(message.encode()))
    return {"type": plain(type(error).__name__), "message": message, **traced(error, frames, left)}


def text_of(error: BaseException) -> str:
    """What an exception says, if it can be read."""
    try:
        text = str(error)
    except Exception as broken:
        text = f"(its text cannot be read: {type(broken).__name__})"
    return plain(text)


def _walk(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """Each once: chains may meet, and go in circles."""
    seen = {id(error)}
    left = _nearest(error)[::-1]
    while left:
        relation, cause = left.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield relation, cause
        left += _nearest(cause)[::-1]


def _nearest(error: BaseException) -> list[tuple[str, BaseException]]:
    """As Python would print them: a context only when nothing stands in for it."""
    found: list[tuple[str, BaseException]] = []
    if isinstance(error, BaseExceptionGroup):
        members = cast("BaseExceptionGroup[BaseException]", error).exceptions
        found += [("member", member) for member in members]
    if error.__cause__ is not None:
        found.append(("cause", error.__cause__))
    elif error.__context__ is not None and not error.__suppress_context__:
        found.append(("context", error.__context__))
    return found
