"""What executes the runs that a worker leases: functions in its own process, or an app that is called over HTTP."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from stepwell.functions.journal import Outcome
from stepwell.functions.logbook import Opening
from stepwell.functions.replay import Ending
from stepwell.platform.executor.journal import RunJournal
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

    def begin(self, lease: Lease, rows: Sequence[StepRow], journal: RunJournal, now: int, logbook: Opening) -> Running:
        """Takes up a leased run, with every step recorded so far, at `now` in ms UTC."""
        ...

    def close(self) -> None:
        """Is not needed any more."""
        ...
