"""Priority: some runs go ahead of others of their lane, by so many seconds."""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.key import value_of

MOST = 600
"""Seconds; bounded, so that nothing waits for ever."""


def options(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """The option of a run."""
    if manifest.priority is None:
        return
    value = value_of(function, "priority", manifest.priority.expression, event)
    seconds = int(max(-MOST, min(MOST, value))) if _is_number(value) else 0
    if seconds:
        yield f"prio={seconds}"


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))
