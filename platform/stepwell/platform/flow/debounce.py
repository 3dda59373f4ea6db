"""Debounce: one run for the last event of a key, once no other has come for a while."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.key import digest_for


def options(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """The option of a run."""
    control = manifest.debounce
    if control:
        yield f"debounce={digest_for(function, 'debounce', control.key, event)}:{control.period}:{control.timeout or 0}"
