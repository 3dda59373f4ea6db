"""What executes the runs that a worker leases: functions in its own process, or an app that is called over HTTP."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from stepwell.functions.journal import Outcome
from stepwell.functions.logbook import Opening
from stepwell.functions.replay import Ending, Start
from stepwell.platform.executor.journal import RunJournal, outcome_of
from stepwell.platform.executor.leasing import Room
from stepwell.platform.records import Lease, StepRow


class Running(Protocol):
    """One execution of a leased run."""

    @property
    def drift(self) -> list[str]:
        """After its end: keys of recorded steps that nobody asks for any more."""
        ...

    @property
    def executing(self) -> list[tuple[str, int, int]]:
        """The steps whose bodies execute: key, which attempt it is, and ms since it began."""
        ...

    async def run(self) -> Ending:
        """Executes it and gives how that ended; once."""
        ...

    def resolve(self, outcome: Outcome) -> None:
        """A durable wait of the run has ended, or a retry is due."""
        ...

    def cancel(self) -> None:
        """The run is to be cancelled."""
        ...

    def abandon(self) -> None:
        """The lease is lost: nothing more is recorded."""
        ...

    def drain(self) -> None:
        """Lets what executes finish and be recorded, and begins nothing."""
        ...


class Share(NamedTuple):
    """Functions that are leased together, as `app/function`, and how many runs of them may be at the moment."""

    functions: Sequence[str]
    bound: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Taken:
    """A leased run as a worker has it.

    Args:
        lease: of it.
        rows: every step recorded so far.
        journal: of it.
        now: ms UTC when it was leased.
        reread: reads its steps again, which others may have recorded meanwhile. Raises `StepwellError`.
    """

    lease: Lease
    rows: Sequence[StepRow]
    journal: RunJournal
    now: int
    reread: Callable[[], Awaitable[Sequence[StepRow]]]

    def start(self, max_attempts: int, max_output: int) -> Start:
        """What an execution begins with."""
        lease = self.lease
        return Start(
            run_id=lease.run,
            function_id=lease.function,
            events=[{"id": one.id, "name": one.name, "data": one.data, "ts": one.ts} for one in lease.events],
            attempt=lease.attempt,
            max_attempts=max_attempts,
            outcomes=[outcome_of(row) for row in self.rows],
            turn=lease.turn,
            now=self.now,
            output_limit=max_output,
        )


class Handlers(Protocol):
    """Executes runs of some functions."""

    @property
    def room(self) -> Room:
        """For how many runs there is room at once."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of apps, by the functions that are leased."""
        ...

    def shares(self) -> Iterable[Share]:
        """Which functions are leased."""
        ...

    def begin(self, run: Taken, logbook: Opening) -> Running:
        """Takes up a leased run; `logbook` gives where what its code says goes."""
        ...

    def close(self) -> None:
        """Is not needed any more."""
        ...
