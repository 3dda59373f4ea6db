"""When a run has come to rest, and what is done then: the next turn is delivered, or the run is suspended.

A run is at rest when none of its tasks has been able to go on for a few ticks of the loop; one tick is not enough,
since a result needs one for each gather, wait or group that it passes on its way. Nothing is polled: a look is taken
when a step ended, a wait began, a task was made or ended, and when the one future that kept the run resident is done.
"""

from __future__ import annotations

import asyncio
from typing import Final

from stepwell.functions.replay.blocked import Look, Resident, State
from stepwell.functions.replay.branches import Branches
from stepwell.functions.replay.decision import Decision, Phase
from stepwell.functions.replay.delivery import Delivery
from stepwell.functions.replay.ending import Cancelled, Released, Suspended
from stepwell.functions.replay.ownership import AnyFuture
from stepwell.functions.replay.turns import Turns
from stepwell.functions.replay.waits import Waits

# For how many ticks nothing may go on before a turn is given out, and before the run is suspended. A result needs a
# tick for each gather it passes: deeper nests of bare gathers than this are rare, and a turn given out too soon does
# less harm than a suspension.
QUIET_TICKS: Final = 2
SUSPEND_TICKS: Final = 4
RESTLESS_TICKS: Final = 32
GAP_SECONDS: Final = 1.0  # how long a turn waits for one before it that we have not heard of
THREAD_SECONDS: Final = 0.05  # how long a turn waits for handler threads between two steps
PRESUMED_SECONDS: Final = 1.0
PRESUMED_LEASE_MS: Final = 60_000
LONGEST_BACKOFF: Final = 1.0


class Quiescence:
    """Watches one run.

    Args:
        loop: it runs on.
        decision: made here when the run is to be suspended.
        turns: known so far.
    """

    __slots__ = (
        "_backoff",
        "_decision",
        "_gap",
        "_loop",
        "_presumed_since",
        "_quiet",
        "_restless",
        "_scheduled",
        "_timer",
        "_watched",
        "active",
        "branches",
        "busy",
        "delivery",
        "turns",
        "waits",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, decision: Decision, turns: Turns) -> None:
        self._loop = loop
        self._decision = decision
        self.turns = turns
        self.branches = Branches(loop, self.stir)
        self.delivery = Delivery()
        self.waits = Waits()
        self.active = 0  # step bodies and calls of the journal in flight
        self.busy: set[object] = set()  # handler threads that have just come out of a step
        self._quiet = 0
        self._restless = 0
        self._backoff = 0.0
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._watched: AnyFuture | None = None
        self._presumed_since: float | None = None
        self._gap = -1  # the last turn before one that we have waited for in vain

    def stir(self) -> None:
        """Something goes on in the run: it is not at rest until it was looked at again."""
        self._quiet = 0
        self._presumed_since = None
        self.poke()

    def poke(self) -> None:
        """Takes a look at the next tick."""
        self._restless = 0
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._tick)

    def landed(self) -> None:
        """One of the active has ended."""
        self.active -= 1
        if not self.active and (self.waits.by_key or self._decision.phase is not Phase.RUNNING):
            self.poke()

    def close(self) -> None:
        """Lets go of everything."""
        self._unwatch()
        if self._timer is not None:
            self._timer.cancel()
        self.branches.close()
        self.delivery.close()
        self.waits.close()
        self.busy.clear()

    def _tick(self) -> None:
        self._scheduled = False
        if self._decision.phase is Phase.UNWINDING:
            return
        if self.branches.settled():
            self._quiet += 1
        else:
            self._quiet = 0
            self._restless += 1
        # A single task passes through no gather, wait or group.
        single = not self.branches.live
        quiet = self._quiet >= (1 if single else QUIET_TICKS)
        at_rest = self._quiet >= (1 if single else SUSPEND_TICKS)
        if (quiet or self._restless >= RESTLESS_TICKS) and (turn := self.delivery.next()):
            self._deliver(turn)
        elif not at_rest and self._restless < RESTLESS_TICKS:
            self._again()
        elif at_rest:
            self._backoff = 0.0
            self._at_rest()
        elif self.waits.by_key or self._decision.phase is Phase.DRAINING:
            self._backoff = min(LONGEST_BACKOFF, self._backoff * 2 or 0.01)
            self._later(self._backoff)

    def _again(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._tick)

    def _deliver(self, turn: int) -> None:
        patience = self._reason_to_wait(turn)
        if not patience:
            self.delivery.deliver()
            self.stir()
        elif self._timer is None:
            self._timer = self._loop.call_later(patience, self._out_of_patience, turn)

    def _reason_to_wait(self, turn: int) -> float:
        """Seconds for which something that comes before this turn may still be under way."""
        if turn > self.turns.high != self._gap and self.waits.by_key:
            return GAP_SECONDS
        return THREAD_SECONDS if self.busy and self.branches.live else 0.0

    def _out_of_patience(self, turn: int) -> None:
        self._timer = None
        self.busy.clear()  # they are in some input or output of their own
        if turn > self.turns.high:
            self._gap = self.turns.high
        self.poke()

    def _at_rest(self) -> None:
        if self.active:
            return
        if self._decision.phase is Phase.DRAINING:
            if not self.busy:
                self._decision.make(Released())
        elif self.waits.by_key:
            self._look()

    def _look(self) -> None:
        state = Look(self.branches, self.waits).state()
        match state:
            case Resident(watch):
                self._watch(watch)
            case State.BLOCKED:
                self._suspend(0)
            case State.PRESUMED:
                self._presume()
            case State.RUNNABLE:
                self._backoff = min(LONGEST_BACKOFF, self._backoff * 2 or 0.01)
                self._later(self._backoff)

    def _presume(self) -> None:
        now = self._loop.time()
        if self._presumed_since is None:
            self._presumed_since = now
        left = self._presumed_since + PRESUMED_SECONDS - now
        if left <= 0:
            self._suspend(PRESUMED_LEASE_MS)
        else:
            self._later(left)

    def _suspend(self, within: int) -> None:
        if self._decision.phase is Phase.CANCELLING:
            self._decision.make(Cancelled())
        elif self._decision.poison is not None:
            self._decision.make(None)
        else:
            self._decision.make(Suspended(self.turns.high, within))

    def _later(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(seconds, self._timer_over)

    def _timer_over(self) -> None:
        self._timer = None
        self.poke()

    def _watch(self, future: AnyFuture) -> None:
        if future is not self._watched:
            self._unwatch()
            self._watched = future
            future.add_done_callback(self._watched_done)

    def _unwatch(self) -> None:
        if self._watched is not None:
            self._watched.remove_done_callback(self._watched_done)
            self._watched = None

    def _watched_done(self, _: AnyFuture) -> None:
        self._watched = None
        self.stir()
