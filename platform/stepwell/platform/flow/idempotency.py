"""Idempotency: events of one key start one run in a period."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.expressions import index_value
from stepwell.platform.flow.key import value_of
from stepwell.platform.ids import digest_of


def options(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """The option of a run; without a value of its key every one is the first."""
    control = manifest.idempotency
    if control is None:
        return
    value = value_of(function, "idempotency", control.key, event)
    word = index_value(value)
    if value is not None and word is not None:
        yield f"once={digest_of(f'{function} {word}')}:{control.period}"
