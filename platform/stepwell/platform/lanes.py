"""Which lane a run waits in."""

from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.platform.flow.constraint import Constraint


def lane_of(function: str, constraints: Sequence[Constraint], event: Mapping[str, Any]) -> str:
    """The lane of a run of `function`, as `app/function`, started by `event`: a part for each constraint."""
    if not constraints:
        return function
    return "|".join([function, *(constraint.word(function, event) for constraint in constraints)])
