"""Errors as the record keeps them: JSON {type, message, traceback} and, if there are any, causes; and back."""

from __future__ import annotations

from typing import Any, Final, cast

import orjson

from stepwell.functions.errors import StepFailed
from stepwell.functions.journal import Outcome
from stepwell.functions.replay.causes import causes_of, text_of
from stepwell.functions.replay.frames import plain, traced

MESSAGE_CHARACTERS: Final = 16_384
FRAMES: Final = 64
ROOM: Final = 32 << 10
"""Bytes of its traceback."""


def failure(error: BaseException) -> bytes:
    """An exception for the record, and what it has come from; a group of one is that one."""
    only = _only(error)
    told = {"type": plain(type(only).__name__), "message": text_of(only)[:MESSAGE_CHARACTERS]}
    return orjson.dumps({**told, **traced(only, FRAMES, ROOM), **causes_of(only)})


def step_failed(outcome: Outcome) -> StepFailed:
    """What the handler is told about a step that is recorded as failed."""
    error: dict[str, Any] = orjson.loads(outcome.payload)
    return StepFailed(outcome.key, error["type"], error["message"], outcome.attempts)


def _only(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    inside = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return _only(inside[0]) if len(inside) == 1 else cast("BaseException", error)
