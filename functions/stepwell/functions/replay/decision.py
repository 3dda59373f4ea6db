"""How an execution ends is decided once; then it is unwound, and nothing the handler does changes it."""

from __future__ import annotations

import asyncio
from enum import Enum

from stepwell.functions.replay.ending import Ending


class Phase(Enum):
    """What steps may do."""

    RUNNING = "running"
    CANCELLING = "cancelling"  # cleanup steps may run
    DRAINING = "draining"  # bodies in flight finish, none starts
    UNWINDING = "unwinding"  # nothing runs


class Decision:
    """The phase of an execution and, once decided, its ending.

    Args:
        loop: the loop it runs on.
    """

    __slots__ = ("ending", "hopeless", "made", "phase", "poison")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.phase = Phase.RUNNING
        self.ending: Ending | None = None
        self.poison: BaseException | None = None  # fails the run even if the handler swallows it
        self.hopeless = False  # the handler takes no step's no for an answer, so there is no waiting for it
        self.made: asyncio.Future[None] = loop.create_future()

    def make(self, ending: Ending | None) -> None:
        """Decides; the first one counts. None: the handler has ended by itself."""
        if self.phase is not Phase.UNWINDING:
            self.phase = Phase.UNWINDING
            self.ending = ending
            if not self.made.done():
                self.made.set_result(None)
