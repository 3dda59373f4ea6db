"""Errors as the record keeps them: JSON {type, message, traceback}, and back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, cast

import orjson

from stepwell.functions.errors import StepFailed
from stepwell.functions.journal import Outcome

MESSAGE_CHARACTERS: Final = 16_384
FRAMES: Final = 64
OURS: Final = str(Path(__file__).parent.parent)


def failure(error: BaseException) -> bytes:
    """An exception for the record; a group of one is that one.

    The traceback is walked, not formatted, which is fifty times cheaper; frames of this package are left out.
    """
    only = _only(error)
    frames = list(_frames(only.__traceback__))[-FRAMES:]
    return orjson.dumps({"type": _plain(type(only).__name__), "message": _text(only), "traceback": frames})


def step_failed(outcome: Outcome) -> StepFailed:
    """What the handler is told about a step that is recorded as failed."""
    error: dict[str, Any] = orjson.loads(outcome.payload)
    return StepFailed(outcome.key, error["type"], error["message"], outcome.attempts)


def _only(error: BaseException) -> BaseException:
    if not isinstance(error, BaseExceptionGroup):
        return error
    inside = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return _only(inside[0]) if len(inside) == 1 else cast("BaseException", error)


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception as broken:
        text = f"(its text cannot be read: {type(broken).__name__})"
    return _plain(text[:MESSAGE_CHARACTERS])


def _plain(text: str) -> str:
    """A text that can be written as UTF-8: names of files and classes need not be one."""
    return text.encode(errors="replace").decode()


def _frames(traceback: TracebackType | None) -> Iterator[dict[str, Any]]:
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(OURS):
            file, function = _plain(code.co_filename), _plain(code.co_qualname)
            yield {"file": file, "line": traceback.tb_lineno, "function": function}
        traceback = traceback.tb_next
