"""From threads to the loop: what many threads have to say crosses together, with one wake-up of the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Crossing:
    """One way into a loop.

    Args:
        loop: whose callbacks are called.
    """

    __slots__ = ("_items", "_woken", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._items: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._woken = False

    def post(self, callback: Callable[[Any], object], argument: Any) -> None:
        """Has the loop call `callback(argument)`; from any thread. Does nothing when the loop is closed."""
        self._items.append((callback, argument))
        if not self._woken:
            self._woken = True
            try:
                self.loop.call_soon_threadsafe(self._land)
            except RuntimeError:  # the loop is closed: nobody is left to hear of it
                self._items.clear()

    def _land(self) -> None:
        # Before the list is emptied: what is appended from here on wakes the loop again.
        self._woken = False
        while self._items:
            callback, argument = self._items.popleft()
            callback(argument)
