"""Which steps may begin: whose they are, under which key, and in which phase of the execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, NoReturn

from stepwell.functions.errors import DuplicateStep, FunctionsError, InvalidId, InvalidStep, MisplacedStep
from stepwell.functions.options import Place
from stepwell.functions.replay.decision import Decision
from stepwell.functions.replay.ending import Released
from stepwell.functions.replay.keys import Keys
from stepwell.functions.replay.lines import LINE, Line
from stepwell.functions.replay.ownership import OWNER, AnyTask, Loop, Owner
from stepwell.functions.replay.quiescence import Quiescence

REFUSALS: Final = 8
Ticket = str | FunctionsError
log = logging.getLogger("stepwell.functions")


class Gate:
    """What every step of an execution passes.

    Args:
        name: of the function.
        decision: of the execution.
        quiescence: of the execution.
        loop: it runs on.
        owner: by which code of the handler is known.
    """

    __slots__ = ("_keys", "_loop", "_name", "_owner", "_refused", "decision", "quiescence")

    def __init__(self, name: str, decision: Decision, quiescence: Quiescence, owner: Owner, loop: Loop) -> None:
        self.decision = decision
        self.quiescence = quiescence
        self._name = name
        self._owner = owner
        self._keys = Keys(quiescence.branches)
        self._loop = loop
        self._refused = 0

    def ticket(self, id: str, place: Place) -> Ticket:
        """The key of a step called at a place, or why it may not be; raised when the step is awaited."""
        owner = OWNER.get()
        if owner is not self._owner:
            return _misplaced(id, owner)
        try:
            return self._keys.take(id, place)
        except InvalidId as error:
            return InvalidId(f"{self._name}: {error}")
        except FunctionsError as error:
            return error

    def line(self, what: str) -> Line:
        """The line of the handler's thread at hand.

        Raises:
            MisplacedStep: it is inside a step's body, or no thread of the handler.
        """
        owner, line = OWNER.get(), LINE.get()
        if owner is not self._owner or line is None:
            raise _misplaced(what, owner)
        return line

    def refuse(self, error: FunctionsError) -> NoReturn:
        """Raises what a ticket holds instead of a key."""
        if isinstance(error, DuplicateStep):
            self.poison(error)
        raise error

    def poison(self, error: FunctionsError) -> None:
        """The run fails with this error whatever the handler makes of it."""
        self.decision.poison = self.decision.poison or error

    def enter(self) -> AnyTask | None:
        """The task at hand goes into a step."""
        task = asyncio.current_task(self._loop)
        if task is not None:
            self.quiescence.branches.loose.discard(task)
        return task

    def leave(self, task: AnyTask) -> None:
        """It has come out of it."""
        self.quiescence.branches.loose.add(task)
        self.quiescence.stir()

    def unawaited(self, asked: Sequence[str]) -> InvalidStep | None:
        """What is wrong with a handler that has ended, and has called a step that was never begun.

        Args:
            asked: keys of the steps that were.
        """
        unasked = self._keys.unasked(asked)
        if not unasked:
            return None
        key, place = unasked[0]
        error = InvalidStep(
            f"{self._name}: step {key!r} was called and never awaited, so it was not executed: "
            f"write await before it, at {place}"
        )
        if not self.quiescence.branches.count:
            return error
        # It may have been in a task that was cancelled before it began, which is nobody's mistake.
        log.warning("%s", error)
        return None

    async def turn_away(self, key: str) -> NoReturn:
        """While it is unwound, a handler that takes no for an answer is told so; one that tries on is parked."""
        self._refused += 1
        if self.decision.ending is None and self._refused == 1:
            log.warning("%s: step %r does not run: its handler has ended without awaiting it", self._name, key)
        if self._refused > REFUSALS:
            self.decision.hopeless = True
            await self.park()
        raise asyncio.CancelledError

    async def lost(self) -> NoReturn:
        """Nothing can be recorded any more: the handler is unwound from where it is."""
        self.decision.make(Released())
        await self.park()

    async def park(self) -> NoReturn:
        """Stays until it is unwound; so nothing begins during a drain."""
        self.quiescence.poke()
        while True:
            await self._loop.create_future()


def _misplaced(id: str, owner: Owner | str | None) -> MisplacedStep:
    if isinstance(owner, str):
        return MisplacedStep(
            f"step {id!r} is called inside step {owner!r}: a step's body is one unit and has no steps; "
            "call both from the handler, one after the other"
        )
    return MisplacedStep(
        f"step {id!r} is called outside its run: steps belong to the handler that was given the context, and to the "
        "tasks (asyncio) or branches (step.parallel) it starts"
    )
