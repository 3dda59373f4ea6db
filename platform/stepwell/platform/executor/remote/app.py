"""An app that is called over HTTP, as a worker knows it."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import uuid4

from stepwell.functions.logbook import Opening
from stepwell.functions.protocol import Manifest
from stepwell.functions.served.words import OURS
from stepwell.platform.clock import Clock
from stepwell.platform.engine.cards import CALLS
from stepwell.platform.executor.handlers import Share, Taken
from stepwell.platform.executor.leasing import Room
from stepwell.platform.executor.remote.caller import Caller
from stepwell.platform.executor.remote.circuit import Circuit
from stepwell.platform.executor.remote.execution import RemoteExecution
from stepwell.platform.executor.remote.gateway import Gateway
from stepwell.platform.executor.remote.line import Line
from stepwell.platform.executor.remote.ours import OurExecution
from stepwell.platform.settings import Settings

CONCURRENCY = 256
"""Runs of one app at once."""


class RemoteApp:
    """The `Handlers` of one app.

    Args:
        manifest: as it is registered.
        caller: posts calls.
        named: the function, as `app/function`, that SDKs call by a name.
        settings: limits.
        clock: tells when waits end.
        gateway: makes requests for steps; by default, to none but public hosts.
    """

    def __init__(
        self,
        manifest: Manifest,
        caller: Caller,
        named: Callable[[str], str],
        settings: Settings,
        clock: Clock,
        gateway: Gateway | None = None,
    ) -> None:
        self.manifest = manifest
        self.room = Room(CONCURRENCY)
        self.changed = asyncio.Event()
        self.circuit = Circuit(clock, self.room.stir, self.changed.set)
        self._is_ours = manifest.served is not None and manifest.served.sdk.startswith(OURS)
        self._served = {f"{manifest.id}/{one.id}": one for one in manifest.functions if one.url}
        # Those of which runs had killed a worker when they were not served yet are no danger to anybody here.
        leased = [*self._served, *(f"{name}!" for name in self._served)]
        self.versions = dict.fromkeys(leased, manifest.version)
        output, interval = settings.max_output_bytes, settings.retry_interval
        gateway = gateway or Gateway.of(settings, private=False)
        self._line = Line(caller, self.circuit, clock, named, settings.crash_limit, output, gateway, interval)

    def shares(self) -> Iterator[Share]:
        """See `Handlers`: while the app is away, one run finds out."""
        yield Share([*self.versions], lambda: self.circuit.bound)

    def begin(self, run: Taken, logbook: Opening) -> RemoteExecution | OurExecution:
        """See `Handlers`."""
        self.circuit.probed()
        function = self._served[run.lease.function.removesuffix("!")]
        assert function.url is not None
        start = run.start(function.retries.times + 1, self._line.max_output)
        kind = OurExecution if self._is_ours else RemoteExecution
        return kind(function.url, run, start, self._line)

    def close(self) -> None:
        """Leaves the app alone."""
        self.circuit.close()


def session_id() -> str:
    """A session in which no code of users runs: its end says nothing against the runs that it has."""
    return f"{CALLS}{uuid4().hex}"
