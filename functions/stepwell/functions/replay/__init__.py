"""Running a handler from the top, again and again, until it has ended; recorded steps give back what they gave before.

What holds it together: a run is suspended when all its handler awaits are durable waits; that is decided first, and
the handler is unwound after it, so nothing it does or returns then counts; recorded outcomes are given back in the
order of their turns.
"""

from stepwell.functions.replay.ending import Cancelled, Completed, Ending, Failed, Released, Retry, Suspended
from stepwell.functions.replay.execution import Execution
from stepwell.functions.replay.start import Start
from stepwell.functions.replay.threads import Threads

__all__ = [
    "Cancelled",
    "Completed",
    "Ending",
    "Execution",
    "Failed",
    "Released",
    "Retry",
    "Start",
    "Suspended",
    "Threads",
]
