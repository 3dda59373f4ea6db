"""Batch: one run for many events of a key."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.key import digest_for, value_of


def options(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """The option of a run; an event that does not fit the condition starts one of its own."""
    control = manifest.batch
    if not control or (control.if_ and value_of(function, "batch", control.if_, event) is not True):
        return
    yield f"batch={digest_for(function, 'batch', control.key, event)}:{control.max_size}:{control.timeout}"
