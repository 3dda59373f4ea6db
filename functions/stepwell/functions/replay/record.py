"""What is recorded of a run's steps, and how it is given to the branches that ask."""

from __future__ import annotations

from stepwell.functions.journal import Outcome
from stepwell.functions.replay.ownership import Loop
from stepwell.functions.replay.quiescence import Quiescence
from stepwell.functions.replay.waits import Wait


class Record:
    """The outcomes of one run.

    Args:
        outcomes: recorded so far.
        quiescence: of the execution.
        loop: it runs on.
    """

    __slots__ = ("_early", "_loop", "_quiescence", "rows")

    def __init__(self, outcomes: list[Outcome], quiescence: Quiescence, loop: Loop) -> None:
        self.rows = {outcome.key: outcome for outcome in outcomes}  # those not asked for yet
        self._early: dict[str, Outcome] = {}  # waits that ended before their branch was there to wait
        self._quiescence = quiescence
        self._loop = loop

    def resolve(self, outcome: Outcome) -> None:
        """A wait has ended, or a retry is due."""
        quiescence = self._quiescence
        quiescence.turns.learn(outcome.turn)
        wait = quiescence.waits.by_key.get(outcome.key)
        if wait is None:
            (self.rows if outcome.key in self.rows else self._early)[outcome.key] = outcome
        elif outcome.ended and quiescence.branches.live:
            quiescence.delivery.push(outcome.turn, wait.order, wait.future, outcome)
        elif not wait.future.done():
            wait.future.set_result(outcome)
        quiescence.poke()

    async def in_turn(self, turn: int, order: int) -> None:
        """Waits until the outcomes of all turns before this one were given out."""
        quiescence = self._quiescence
        quiescence.turns.learn(turn)
        # A single branch meets its steps in the order of the code; only branches side by side depend on who is first.
        if quiescence.branches.live:
            future = self._loop.create_future()
            quiescence.delivery.push(turn, order, future)
            quiescence.poke()
            await future

    async def change(self, key: str, order: int) -> Outcome:
        """Waits for what becomes of a pending step, or of one that is to be tried again."""
        early = self._early.pop(key, None)
        if early is not None:
            if early.ended:
                await self.in_turn(early.turn, order)
            return early
        wait = Wait(self._loop.create_future(), order)
        self._quiescence.waits.add(key, wait)
        self._quiescence.poke()
        try:
            return await wait.future
        finally:
            self._quiescence.waits.remove(key, wait)
