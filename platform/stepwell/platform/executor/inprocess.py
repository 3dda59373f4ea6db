"""Functions of apps that are loaded into this process."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stepwell.functions import App
from stepwell.functions.function import Function
from stepwell.functions.logbook import Opening
from stepwell.functions.replay import Execution, Threads
from stepwell.platform.executor.handlers import Share, Taken
from stepwell.platform.executor.leasing import Room
from stepwell.platform.settings import Settings


class InProcess:
    """The `Handlers` of a worker that has the code itself.

    Args:
        apps: whose functions are served.
        settings: limits.
        concurrency: runs at once.
        suspects: serve only runs that are suspected of having killed their worker.
    """

    def __init__(
        self, apps: Iterable[App], settings: Settings, *, concurrency: int = 256, suspects: bool = False
    ) -> None:
        served, suffix = tuple(apps), "!" if suspects else ""
        self.functions: Mapping[str, Function[Any]] = {f.name: f for app in served for f in app.functions.values()}
        self.room = Room(concurrency)
        self.versions = dict(_versions(served, suffix))
        self._suffix = suffix
        self._max_output = settings.max_output_bytes
        self._threads = Threads(max(1, min(concurrency, settings.threads)), self.room.stir)

    def shares(self) -> Iterator[Share]:
        """See `Handlers`: those that need a thread are leased as long as there is one."""
        for is_async, bound in ((True, lambda: self.room.free), (False, lambda: self._threads.free)):
            names = [f"{name}{self._suffix}" for name, f in self.functions.items() if f.is_async is is_async]
            if names:
                yield Share(names, bound)

    def begin(self, run: Taken, logbook: Opening) -> Execution:
        """See `Handlers`."""
        function = self.functions[run.lease.function]
        start = run.start(function.retries.times + 1, self._max_output)
        return Execution(function, start, run.journal, self._threads, logbook)

    def close(self) -> None:
        """Lets go of the threads."""
        self._threads.close()


def _versions(apps: Iterable[App], suffix: str) -> Iterator[tuple[str, str]]:
    """The versions of apps by the functions that runs are leased of."""
    for app in apps:
        version = app.version
        yield from ((f"{function.name}{suffix}", version) for function in app.functions.values())
