"""Errors as JSON models."""

from typing import Any, cast

from stepwell.platform.api.models.run import Cause, Failure
from stepwell.platform.codec import decode


def failure(error: bytes | None) -> Failure | None:
    """An error as it is recorded, with its traceback as text."""
    if not error:
        return None
    parts: dict[str, Any] = decode(error)
    causes = [_cause(cause) for cause in parts.get("causes", [])]
    return Failure(**_one(parts), causes=causes, causes_cut=parts.get("causes_cut", 0))


def _cause(parts: dict[str, Any]) -> Cause:
    return Cause(relation=parts["relation"], **_one(parts))


def _one(parts: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": parts.get("type", "Error"),
        "message": parts.get("message", ""),
        "traceback": _text(parts.get("traceback"), parts.get("cut", 0)),
    }


def _text(traceback: Any, cut: int) -> str | None:
    """Frames as Python prints them, those that were cut counted; text stays what it is."""
    if not isinstance(traceback, list):
        return traceback or None
    frames = cast("list[dict[str, Any]]", traceback)
    above = [f"  [{cut} more above]"] if cut else []
    lines = [line for frame in frames for line in _lines(frame)]
    return "\n".join(["Traceback (most recent call last):", *above, *lines]) if frames else None


def _lines(frame: dict[str, Any]) -> list[str]:
    where = f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}'
    source = frame.get("source")
    return [where, f"    {source}"] if source else [where]
