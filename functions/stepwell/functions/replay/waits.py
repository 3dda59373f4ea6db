"""The durable waits that branches of a run are in."""

from __future__ import annotations

import asyncio

from stepwell.functions.journal import Outcome
from stepwell.functions.replay.ownership import AnyFuture


class Wait:
    """One branch in one durable wait.

    Args:
        future: resolved with the outcome.
        order: of its step among all that were asked for.
    """

    __slots__ = ("future", "order", "timed")

    def __init__(self, future: asyncio.Future[Outcome], order: int) -> None:
        self.future = future
        self.order = order
        self.timed: bool | None = None  # a timer in the task's chain of awaits; None: not looked yet


class Waits:
    """All waits of a run, by step key and by future."""

    __slots__ = ("by_future", "by_key")

    def __init__(self) -> None:
        self.by_key: dict[str, Wait] = {}
        self.by_future: dict[AnyFuture, Wait] = {}

    def add(self, key: str, wait: Wait) -> None:
        self.by_key[key] = wait
        self.by_future[wait.future] = wait

    def remove(self, key: str, wait: Wait) -> None:
        self.by_key.pop(key, None)
        self.by_future.pop(wait.future, None)

    def close(self) -> None:
        """Lets go of everything."""
        self.by_key.clear()
        self.by_future.clear()
