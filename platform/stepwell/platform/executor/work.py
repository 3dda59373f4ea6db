"""A leased run while a worker has it: its execution, and how it ends."""

import asyncio
from collections.abc import Callable

import structlog

from stepwell.functions.logbook import Opening
from stepwell.functions.replay import (
    Cancelled,
    Completed,
    Ending,
    Failed,
    Released,
    Retry,
    Suspended,
)
from stepwell.platform.codec import encode
from stepwell.platform.engine.answers import Refusal
from stepwell.platform.engine.owner import Owner
from stepwell.platform.errors import StepwellError
from stepwell.platform.executor.handlers import Running
from stepwell.platform.executor.journal import RunJournal, outcome_of
from stepwell.platform.executor.logbook import Book, Desk
from stepwell.platform.executor.saying import say_run_failed
from stepwell.platform.records import Lease, StepRow

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between tries to write how a run ended, while Redis is out of reach."""


class Work:
    """One run, from its lease to the end of it.

    Args:
        lease: what was leased.
        begin: takes it up; is given where what its code says goes.
        journal: its journal.
        owner: writes of its partition.
        desk: sends what its code says.
    """

    __slots__ = ("_book", "_desk", "_heard", "_journal", "_owner", "execution", "lease")

    def __init__(
        self,
        lease: Lease,
        begin: Callable[[Opening], Running],
        journal: RunJournal,
        owner: Owner,
        desk: Desk,
    ) -> None:
        self.lease = lease
        self._journal = journal
        self._owner = owner
        self._desk = desk
        self._book: Book | None = None
        self._heard: set[tuple[str, int]] = set()
        self.execution = begin(self._open_book)

    async def run(self) -> Ending:
        """Runs the handler, records how that ended, and gives it; while Redis is out of reach, tries again."""
        ending = await self.execution.run()
        if self._book is not None:
            self._book.end()
        self._say(ending)
        pause = FIRST_PAUSE
        while True:
            try:
                await self._apply(ending)
                return ending
            except Refusal:
                return Released()  # somebody else has the run now, and goes on from what is recorded
            except StepwellError as error:
                structlog.get_logger().warning("ending_not_recorded", run=self.lease.run, error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def hear(self, row: StepRow) -> None:
        """A wait of the run has been resolved while it is here; hearing it twice does nothing."""
        if row.turn and (row.key, row.turn) not in self._heard:
            self._heard.add((row.key, row.turn))
            self.execution.resolve(outcome_of(row))

    def _open_book(self) -> Book:
        with self._desk.lock:
            if self._book is None:
                self._book = Book(self.lease, self._desk)
            return self._book

    def _say(self, ending: Ending) -> None:
        match ending:
            case Failed(error):
                say_run_failed(self.lease, error)
            case Retry(error, delay):
                say_run_failed(self.lease, error, delay)
            case _:
                pass

    async def _apply(self, ending: Ending) -> None:
        run, token, seq = self.lease.run, self.lease.token, self._journal.next_seq()
        match ending:
            case Completed(output):
                await self._owner.finish(run, token, seq, "completed", output, self._drift())
            case Failed(error):
                await self._owner.finish(run, token, seq, "failed", error, self._drift())
            case Cancelled():
                await self._owner.finish(run, token, seq, "cancelled", b"")
            case Retry(error, delay):
                await self._owner.retry_body(run, token, seq, delay=delay, error=error)
            case Suspended(turn, within):
                await self._owner.suspend(run, token, seq, turn, within)
            case Released():
                await self._owner.release(run, token, seq)

    def _drift(self) -> bytes:
        drift = self.execution.drift
        return encode(drift) if drift else b""
