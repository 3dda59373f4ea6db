"""Outcomes that wait until it is their turn to be given to the handler."""

from __future__ import annotations

import heapq

from stepwell.functions.journal import Outcome
from stepwell.functions.replay.ownership import AnyFuture


class Delivery:
    """Outcomes by turn; within one turn in the order in which their steps were asked for."""

    __slots__ = ("_queue",)

    def __init__(self) -> None:
        self._queue: list[tuple[int, int, AnyFuture, Outcome | None]] = []

    def push(self, turn: int, order: int, future: AnyFuture, outcome: Outcome | None = None) -> None:
        """Queues what `future` is to be resolved with."""
        heapq.heappush(self._queue, (turn, order, future, outcome))

    def next(self) -> int:
        """The lowest turn that waits; 0 when none does."""
        while self._queue and self._queue[0][2].done():
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else 0

    def deliver(self) -> None:
        """Gives out everything of the lowest turn."""
        turn = self.next()
        while self._queue and self._queue[0][0] == turn:
            _, _, future, outcome = heapq.heappop(self._queue)
            if not future.done():
                future.set_result(outcome)

    def close(self) -> None:
        """Lets go of everything."""
        self._queue.clear()
