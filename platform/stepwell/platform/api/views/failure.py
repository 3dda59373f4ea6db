"""Errors as JSON models."""

from typing import Any, cast

from stepwell.platform.api.models.run import Failure
from stepwell.platform.codec import decode


def failure(error: bytes | None) -> Failure | None:
    """An error as it is recorded, with its traceback as text."""
    if not error:
        return None
    parts: dict[str, Any] = decode(error)
    return Failure(
        type=parts.get("type", "Error"), message=parts.get("message", ""), traceback=_text(parts.get("traceback"))
    )


def _text(traceback: Any) -> str | None:
    """Frames as Python prints them; text stays what it is."""
    if not isinstance(traceback, list):
        return traceback or None
    frames = cast("list[dict[str, Any]]", traceback)
    lines = [f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}' for frame in frames]
    return "\n".join(["Traceback (most recent call last):", *lines]) if lines else None
