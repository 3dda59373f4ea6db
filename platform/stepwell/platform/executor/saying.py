"""What a worker says of attempts that fail: a line each, for whoever watches it."""

from typing import Any

import structlog

from stepwell.platform.codec import decode
from stepwell.platform.records import Lease

WIDTH = 300
"""Characters of an error's message."""


def say_step_failed(lease: Lease, step: str, attempt: int, error: bytes, again_in: int | None = None) -> None:
    """An attempt of a step has failed; it is tried again in so many ms, or never."""
    _say("step_failed", lease, error, attempt=attempt, step=step, again_in=again_in)


def say_run_failed(lease: Lease, error: bytes, again_in: int | None = None) -> None:
    """The function has failed outside its steps; it is tried again in so many ms, or the run has failed."""
    what = "run_failed" if again_in is None else "attempt_failed"
    _say(what, lease, error, attempt=lease.attempt + 1, again_in=again_in)


def _say(what: str, lease: Lease, error: bytes, *, again_in: int | None, **more: Any) -> None:
    if again_in is not None:
        more["again_in"] = f"{again_in / 1000:g} s"
    structlog.get_logger("stepwell.worker").warning(
        what, run=lease.run, function=lease.function, **more, error=_text(error)
    )


def _text(error: bytes) -> str:
    parts: dict[str, Any] = decode(error)
    text = f"{parts.get('type')}: {parts.get('message')}"
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}…"
