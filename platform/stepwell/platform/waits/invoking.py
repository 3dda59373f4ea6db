"""Runs that steps of other runs have invoked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.runs import Created, Creation, Runs
from stepwell.platform.flow.refusal import Refusal
from stepwell.platform.ids import named_id, partition_of, run_id
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.starting import beginning, home_for
from stepwell.platform.waits.outcome import failed

NAME = "inngest/function.invoked"
"""Of the event that a child is started by."""
NOWHERE = -1


@dataclass(frozen=True, slots=True)
class Invocation:
    """A run to be started by a step.

    Args:
        run, key: of the parent's step.
        function: as `app/function`.
        data: of the event.
        ts: of the event, ms UTC.
        home: the partition of the run, whatever becomes of the function until it is started; `NOWHERE` when no such
            function was registered when the step was reached.
        version: of the registry by which it was planned.
    """

    run: str
    key: str
    function: str
    data: Mapping[str, Any]
    ts: int
    home: int
    version: int = 0


class Invoking:
    """Starts children.

    Args:
        runs: those of each partition.
        registry: of the installation.
        clock: theirs.
    """

    __slots__ = ("_clock", "_registry", "_runs")

    def __init__(self, runs: Sequence[Runs], registry: Registry, clock: Clock) -> None:
        self._runs = runs
        self._registry = registry
        self._clock = clock

    async def plan(self, run: str, key: str, function: str, data: Mapping[str, Any]) -> Invocation:
        """What a step is about to start. Raises `StepwellError`."""
        known, count = await self._function(function), len(self._runs)
        home = home_for(known, partition_of(run), count) if known else NOWHERE
        return Invocation(run, key, function, data, self._clock.now(), home, self._registry.snapshot.version)

    async def catch_up(self) -> None:
        """The registry has changed since a child was planned. Raises `StepwellError`."""
        await self._registry.refresh()

    def child(self, invocation: Invocation) -> str:
        """The id of the child, whether it exists or not; "" when there will be none."""
        if invocation.home == NOWHERE:
            return ""
        return run_id(_event(invocation), invocation.function, invocation.home)

    async def start(self, invocation: Invocation) -> None:
        """Creates the child unless it exists. When it cannot be, the step has failed. Raises `StepwellError`."""
        function = await self._function(invocation.function) if invocation.home != NOWHERE else None
        if function is None:
            why = f"no function {invocation.function!r} is registered: correct the name, or start a worker that has it"
            await self._fail(invocation, "UnknownFunction", why)
            return
        created = await self._create(function, invocation)
        if created.outcome == "SKIPPED":
            await self._fail(invocation, "Skipped", f"{function.id}: {Refusal.parse(created.more).text}")

    async def _create(self, function: RegisteredFunction, invocation: Invocation) -> Created:
        event, data = _event(invocation), {"name": NAME, "data": invocation.data, "ts": invocation.ts}
        made = beginning(function, {"id": event, **data}, invocation.home, len(self._runs))
        record = b"N %s\n%s" % (made.run.encode(), encode(data))
        link = f"invoke {invocation.run} {invocation.key}"
        creation = Creation(made.run, made.lane, made.version, event, 0, record, made.options, link, made.notes)
        [created] = await self._runs[made.home].create([creation])
        return created

    async def _fail(self, invocation: Invocation, kind: str, message: str) -> None:
        parent = self._runs[partition_of(invocation.run)]
        await parent.resolve(invocation.run, invocation.key, ok=False, payload=failed(kind, message))

    async def _function(self, name: str) -> RegisteredFunction | None:
        function = self._registry.snapshot.functions.get(name)
        return function or (await self._registry.load()).functions.get(name)


def _event(invocation: Invocation) -> str:
    # Made of the parent and its step, so that starting twice starts once.
    return named_id(invocation.ts, f"{invocation.run} invoke {invocation.key}", invocation.home)
