"""What a run is created with besides its event: lane, home, and what is to happen to it although it does nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from stepwell.platform.expressions import EvaluationError, ExpressionError
from stepwell.platform.flow.controls import is_gathering, options_of
from stepwell.platform.ids import home_of, run_id
from stepwell.platform.lanes import lane_of
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.waits.listing import Listing
from stepwell.platform.waits.sought import sought

SEPARATOR = b"\x1f"


@dataclass(frozen=True, slots=True)
class Beginning:
    """A run that is to be created.

    Args:
        run: its id.
        home: its partition.
        lane: it waits in.
        version: of its app.
        options, notes: see options.lua and owing.lua in lua/include.
    """

    run: str
    home: int
    lane: str
    version: str
    options: str = "-"
    notes: str = "-"


def home_for(function: RegisteredFunction, where: int, partitions: int) -> int:
    """The home of a run that something in partition `where` starts: what is counted is counted in one place."""
    return home_of(function.home, partitions) if function.counted else where


def beginning(
    function: RegisteredFunction, event: Mapping[str, Any], home: int, partitions: int, *, gathers: bool = False
) -> Beginning:
    """The run of a function for an event {id, name, data, ts}, at home in the partition `home`; see `home_for`.

    `gathers`: the event may join others by a debounce or a batch.
    """
    lane = lane_of(function.id, function.constraints, event)
    run = run_id(event["id"], function.id, home)
    if not function.controlled:
        return Beginning(run, home, lane, function.version)
    cancels = [*_cancels(function, event, partitions)]
    flow = [
        option for option in options_of(function.id, function.manifest, event) if gathers or not is_gathering(option)
    ]
    options = ",".join([*flow, *_limits(function), *_listed(cancels, home, partitions)])
    notes = SEPARATOR.join([listing.note() for listing in cancels]).decode()
    return Beginning(run, home, lane, function.version, options or "-", notes or "-")


def _limits(function: RegisteredFunction) -> Iterator[str]:
    limits = function.manifest.timeouts
    if limits and limits.start:
        yield f"start={limits.start}"
    if limits and limits.finish:
        yield f"finish={limits.finish}"


def _listed(cancels: list[Listing], home: int, partitions: int) -> Iterator[str]:
    if cancels:
        yield f"cancel={';'.join([listing.text(home, partitions) for listing in cancels])}"


def _cancels(function: RegisteredFunction, event: Mapping[str, Any], partitions: int) -> Iterator[Listing]:
    for control in function.manifest.cancel_on:
        try:
            found = sought(control.event, control.if_, event, tuple)
        except (ExpressionError, EvaluationError) as error:
            _say(function, "cancel_on", str(error))
            continue
        own = partitions > 1 and control.event == event["name"]
        yield Listing.of(found, within=control.within or 0, own=own)


def _say(function: RegisteredFunction, control: str, error: str) -> None:
    structlog.get_logger("stepwell.ingest").warning(
        "control_not_evaluated", function=function.id, control=control, error=error
    )
