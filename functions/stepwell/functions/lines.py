"""Lines and progress as they are kept: one JSON object each, of bounded size whatever user code has put into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic_core import to_jsonable_python

from stepwell.functions.logbook import LogLine, Progress

LONGEST_LINE = 8_192
"""Bytes of a line."""
LONGEST_MESSAGE = 2_048
LONGEST_FIELDS = 4_096
LONGEST_VALUE = 512


def line_json(line: LogLine, at: int) -> bytes:
    """A line that was said at `at`, ms UTC. Never raises: what is no JSON is kept as text, what is long is cut."""
    head = {"at": at, "level": _text(line.level, 32), "step": line.place.step, "attempt": line.place.attempt}
    message = _text(line.message, LONGEST_MESSAGE)
    text = orjson.dumps({**head, "message": message, "fields": _fields(line.fields)})
    if len(text) <= LONGEST_LINE:
        return text
    return orjson.dumps(
        {**head, "message": _text(message, LONGEST_MESSAGE // 4), "fields": {"…": "too large to be kept"}}
    )


def progress_json(progress: Progress, at: int) -> bytes:
    """A progress that was said at `at`, ms UTC."""
    place, text = progress.place, _text(progress.text, len(progress.text))
    return orjson.dumps({"at": at, "value": progress.value, "text": text, "step": place.step, "attempt": place.attempt})


def _fields(fields: Mapping[str, Any]) -> Any:
    if not fields:
        return {}
    try:
        known = to_jsonable_python(dict(fields), inf_nan_mode="constants", fallback=repr)
        if len(orjson.dumps(known)) <= LONGEST_FIELDS:
            return known
    except Exception:  # whatever an object of the user's does when it is looked at
        known = fields
    return {_text(str(name), 64): _shown(value) for name, value in list(known.items())[:32]}


def _shown(value: object) -> str:
    try:
        return _text(value if isinstance(value, str) else repr(value), LONGEST_VALUE)
    except Exception:
        return f"<{type(value).__name__}>"


def _text(text: str, most: int) -> str:
    """At most so many characters, and none that UTF-8 has no bytes for."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return cut if cut.isascii() else cut.encode(errors="replace").decode()
