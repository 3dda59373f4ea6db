"""What a run is created with besides its event: lane, home, and what is to happen to it although it does nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stepwell.platform.ids import home_of, run_id
from stepwell.platform.lanes import lane_of
from stepwell.platform.registry import RegisteredFunction


@dataclass(frozen=True, slots=True)
class Beginning:
    """A run that is to be created.

    Args:
        run: its id.
        home: its partition.
        lane: it waits in.
        version: of its app.
        options, notes: see lua/include/creation.lua.
    """

    run: str
    home: int
    lane: str
    version: str
    options: str = "-"
    notes: str = "-"


def beginning(function: RegisteredFunction, event: Mapping[str, Any], where: int, partitions: int) -> Beginning:
    """The run of a function for an event {id, name, data, ts} that is at home in partition `where`."""
    if not function.constraints:
        return Beginning(run_id(event["id"], function.id, where), where, function.id, function.version)
    # What is counted is counted in one place.
    home = home_of(function.id, partitions)
    lane = lane_of(function.id, function.constraints, event)
    return Beginning(run_id(event["id"], function.id, home), home, lane, function.version)
