"""Trying the body of a step, and recording how that went."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from stepwell.functions.function import Function
from stepwell.functions.journal import Journal, Outcome
from stepwell.functions.replay.bodies import Bench
from stepwell.functions.replay.call import Call
from stepwell.functions.replay.decision import Phase
from stepwell.functions.replay.failures import failure
from stepwell.functions.replay.gate import Gate
from stepwell.functions.replay.ownership import OWNER
from stepwell.functions.replay.record import Record
from stepwell.functions.slips import uncallable


class Attempts:
    """The attempts of one execution's steps.

    Args:
        function: whose retry policy holds.
        now: ms UTC at the moment; 0 when unknown.
        journal: where outcomes go.
        gate: of the execution.
        record: of the execution.
        bench: where bodies are run.
    """

    __slots__ = (
        "_bench",
        "_function",
        "_gate",
        "_journal",
        "_now",
        "_quiescence",
        "_record",
        "_started",
        "begun",
        "executing",
        "tried",
    )

    def __init__(
        self, function: Function[Any], now: int, journal: Journal, gate: Gate, record: Record, bench: Bench
    ) -> None:
        self._function = function
        self._now = now
        self._started = monotonic()
        self._journal = journal
        self._gate = gate
        self._quiescence = gate.quiescence
        self._record = record
        self._bench = bench
        self.begun = False  # something was done that was in no record
        self.executing: dict[str, Call] = {}  # by key, until their outcome is recorded
        self.tried: dict[str, int] = {}  # which attempt it is, of steps that were tried before

    @property
    def now(self) -> int:
        """ms UTC, counted on from when the run was leased; 0 when that is unknown."""
        return self._now and self._now + since(self._started)

    async def make(self, call: Call, tried: int) -> Outcome | None:
        """One try of the body: None when it succeeded, else what is recorded of its failure."""
        if self._gate.decision.phase is Phase.DRAINING:
            await self._gate.park()
        call.tried = tried
        if tried > 1:
            self.tried[call.key] = tried
        self.begun = True
        quiescence = self._quiescence
        quiescence.active += 1
        try:
            call.since = monotonic()
            self.executing[call.key] = call
            payload = await self._try(call)
            took = since(call.since)
            if call.delay is not None:
                return await self._journal.retry(call.key, "run", tried, call.delay, took, payload)
            turn = await self._journal.checkpoint(call.key, "run", not call.failed, tried, took, payload)
        finally:
            del self.executing[call.key]
            quiescence.landed()
        if quiescence.branches.live:
            await self._record.in_turn(turn, call.order)
        else:
            quiescence.turns.learn(turn)
        return Outcome(call.key, "run", "failed", turn, tried, 0, payload) if call.failed else None

    async def _try(self, call: Call) -> bytes:
        """What the body gave or raised, as JSON; which of both, the call says."""
        call.failed, call.delay = False, None
        token = OWNER.set(call.key)
        try:
            body = self._bench.bodies.of(call.fn)
            if body.is_async and call.options.timeout is None:
                return self._bench.write(call, body, await call.fn(*call.args, **call.kwargs))
            return self._bench.write(call, body, await self._bench.run(call, body))
        except asyncio.CancelledError as error:
            # Either this branch is cancelled, or the body has awaited something of its own that was.
            if self._cancelled():
                raise
            return self._fail(call, error)
        except (Exception, SystemExit) as error:
            return self._fail(call, error)
        finally:
            OWNER.reset(token)

    def _fail(self, call: Call, error: BaseException) -> bytes:
        if type(error) is TypeError:
            error = uncallable(self._function.name, call.key, call.fn, call.args, call.kwargs) or error
        policy = call.options.retries or self._function.retries
        again = call.tried <= policy.times and policy.allows(error)
        call.failed = True
        call.delay = policy.after(error, call.tried, self.now) if again else None
        return failure(error)

    def _cancelled(self) -> bool:
        task = asyncio.current_task()
        return self._gate.decision.phase is Phase.UNWINDING or (task is not None and task.cancelling() > 0)


def since(started: float) -> int:
    """ms that have passed."""
    return int((monotonic() - started) * 1000)
