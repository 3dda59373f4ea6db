"""An error as the history of a run tells of it: as it is, or what is needed to know it again."""

from typing import Any

from stepwell.platform.codec import MalformedJSON, decode, encode

MOST = 2_048
"""Bytes of an error that is told as it is: a run may have hundreds."""
CHARACTERS = 1_024
FRAMES = 4


def told(error: bytes) -> bytes:
    """An error of at most `MOST` bytes or so: the end of its traceback, and no causes, when it is longer."""
    if len(error) <= MOST:
        return error
    try:
        whole: dict[str, Any] = decode(error)
    except MalformedJSON:
        return b""
    frames: list[Any] = whole["traceback"] if isinstance(whole.get("traceback"), list) else []
    message = str(whole.get("message", ""))
    return encode(
        {
            "type": whole.get("type", "Error"),
            "message": message if len(message) <= CHARACTERS else f"{message[:CHARACTERS]}…",
            "traceback": frames[-FRAMES:],
            "cut": whole.get("cut", 0) + max(0, len(frames) - FRAMES),
            "causes_cut": whole.get("causes_cut", 0) + len(whole.get("causes", [])),
        }
    )
