"""What functions have to do as JSON models."""

from stepwell.platform.api.models.depth import Queue
from stepwell.platform.reading.depths import Depth


def queue(depth: Depth, workers: int) -> Queue:
    """What there is to do of a function that so many workers serve."""
    return Queue(
        function=depth.function,
        ready=depth.ready,
        blocked=depth.blocked,
        throttled=depth.throttled,
        paused=depth.paused,
        moved=depth.moved,
        executing=depth.executing,
        workers=workers,
        oldest=depth.oldest,
        more=depth.more,
    )
