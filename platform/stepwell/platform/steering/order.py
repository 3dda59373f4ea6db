"""How somebody wants a run to be steered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gives, which may be null."""

    value: Any


@dataclass(frozen=True, slots=True)
class Order:
    """How a run is to be done again.

    Args:
        input: data of the event instead of that of the run's own.
        from_step: key of a step; what was done before it is kept.
        output: of that step, which then is kept as well.
        request: an id of the caller's own: ordered again under it, nothing is done twice.
    """

    input: Mapping[str, Any] | None = None
    from_step: str | None = None
    output: Given | None = None
    request: str | None = None
