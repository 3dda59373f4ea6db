"""Which turns of a run are known here."""

from __future__ import annotations


class Turns:
    """Turns are consecutive: one that is missing belongs to a wait that has ended and of which we have not heard yet.

    Args:
        high: the last turn when the execution began.
    """

    __slots__ = ("_ahead", "high")

    def __init__(self, high: int) -> None:
        self.high = high  # all up to here are known
        self._ahead: set[int] = set()

    def learn(self, turn: int) -> None:
        """Notes a turn."""
        if turn == self.high + 1 and not self._ahead:
            self.high = turn
        elif turn > self.high:
            self._ahead.add(turn)
            self._close_up()

    def _close_up(self) -> None:
        while self.high + 1 in self._ahead:
            self.high += 1
            self._ahead.discard(self.high)
