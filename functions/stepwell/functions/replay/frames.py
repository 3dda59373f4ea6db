"""Tracebacks as the record keeps them: frames {file, line, function, source}."""

from __future__ import annotations

from collections import deque
from linecache import getline
from pathlib import Path
from types import TracebackType
from typing import Any, Final

OURS: Final = str(Path(__file__).parent.parent)
SOURCE_CHARACTERS: Final = 200
ABOUT: Final = 64
"""Bytes of a frame beside its texts."""


def traced(error: BaseException, most: int, room: int) -> dict[str, Any]:
    """The traceback of an exception: its last frames, at most `most` in `room` bytes, and how many were cut.

    It is walked, not formatted, which is fifty times cheaper; frames of this package are left out.
    """
    last: deque[TracebackType] = deque(maxlen=most)
    count = 0
    traceback = error.__traceback__
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(OURS):
            last.append(traceback)
            count += 1
        traceback = traceback.tb_next
    frames = _within([_frame(one) for one in last], room)
    return {"traceback": frames, "cut": count - len(frames)} if len(frames) < count else {"traceback": frames}


def plain(text: str) -> str:
    """A text that can be written as UTF-8: names of files and classes need not be one."""
    return text.encode(errors="replace").decode()


def _frame(traceback: TracebackType) -> dict[str, Any]:
    code, frame = traceback.tb_frame.f_code, traceback.tb_frame
    told: dict[str, Any] = {
        "file": plain(code.co_filename),
        "line": traceback.tb_lineno,
        "function": plain(code.co_qualname),
    }
    source = getline(code.co_filename, traceback.tb_lineno, frame.f_globals).strip()
    return {**told, "source": plain(source[:SOURCE_CHARACTERS])} if source else told


def _within(frames: list[dict[str, Any]], room: int) -> list[dict[str, Any]]:
    for index in range(len(frames) - 1, -1, -1):
        room -= ABOUT + sum(len(text.encode()) for text in frames[index].values() if isinstance(text, str))
        if room < 0:
            return frames[index + 1 :]
    return frames
