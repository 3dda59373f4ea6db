"""What is said about a single step besides its body."""

from __future__ import annotations

from dataclasses import dataclass
from types import CodeType

from stepwell.functions.retries import Retries

Place = tuple[CodeType, int]  # where a step is called: code, and the instruction in it


@dataclass(frozen=True, slots=True)
class Options:
    """What `step.options` sets.

    Args:
        retries: instead of the function's; None for the function's.
        timeout: ms one attempt may take; None for no limit.
    """

    retries: Retries | None = None
    timeout: int | None = None
