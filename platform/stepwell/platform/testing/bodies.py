"""The bodies of a function's steps, watched: whoever looks into one is about to run it."""

from collections.abc import Callable
from typing import Any

from stepwell.functions.replay.ownership import OWNER
from stepwell.functions.values import Bodies, Body


class WatchedBodies(Bodies):
    """Bodies as they are, but `begin` is told the key of each step that is about to run one.

    Args:
        bodies: of the function.
        begin: may raise, and then the attempt fails with that and the body does not run.
    """

    __slots__ = ("_begin", "_bodies")

    def __init__(self, bodies: Bodies, begin: Callable[[str], None]) -> None:
        super().__init__()
        self._bodies = bodies
        self._begin = begin

    def of(self, body: Callable[..., Any]) -> Body:
        """See `Bodies`. Inside an attempt the owner of the code is a step; elsewhere a recorded value is read."""
        step = OWNER.get()
        if isinstance(step, str):
            self._begin(step)
        return self._bodies.of(body)
