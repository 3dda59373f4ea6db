"""Rate limit: in no span of its period more than so many runs of a key start; what comes besides is dropped."""

from collections.abc import Iterator, Mapping
from typing import Any

from stepwell.functions.protocol import FunctionManifest
from stepwell.platform.flow.key import digest_for


def options(function: str, manifest: FunctionManifest, event: Mapping[str, Any]) -> Iterator[str]:
    """The option of a run."""
    control = manifest.rate_limit
    if control:
        yield f"rate={digest_for(function, 'rate_limit', control.key, event)}:{control.limit}:{control.period}"
