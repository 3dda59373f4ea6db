"""Runs that steps of other runs have invoked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.runs import Creation, Runs
from stepwell.platform.ids import home_of, partition_of, run_id
from stepwell.platform.registry import Registry
from stepwell.platform.starting import Beginning, beginning
from stepwell.platform.waits.outcome import failed

NAME = "inngest/function.invoked"
"""Of the event that a child is started by."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A run to be started by a step.

    Args:
        run, key: of the parent's step.
        function: as `app/function`.
        data: of the event.
        ts: of the event, ms UTC.
    """

    run: str
    key: str
    function: str
    data: Mapping[str, Any]
    ts: int


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
        """What a step is about to start."""
        return Invocation(run, key, function, data, self._clock.now())

    async def child(self, invocation: Invocation) -> str | None:
        """The id of the child, whether it exists or not; `None` when no such function is registered."""
        made = await self._beginning(invocation)
        return made[0].run if made else None

    async def start(self, invocation: Invocation) -> None:
        """Creates the child unless it exists; without such a function, the step has failed. Raises `StepwellError`."""
        made = await self._beginning(invocation)
        if made is None:
            parent = self._runs[partition_of(invocation.run)]
            error = failed("UnknownFunction", f"no function {invocation.function!r} is registered")
            await parent.resolve(invocation.run, invocation.key, ok=False, payload=error)
            return
        child, event = made
        body = encode({"name": NAME, "data": invocation.data, "ts": invocation.ts})
        link = f"invoke {invocation.run} {invocation.key}"
        record = b"N %s\n%s" % (child.run.encode(), body)
        creation = Creation(child.run, child.lane, child.version, event, 0, record, child.options, link, child.notes)
        await self._runs[child.home].create([creation])

    async def _beginning(self, invocation: Invocation) -> tuple[Beginning, str] | None:
        function = self._registry.snapshot.functions.get(invocation.function)
        if function is None:
            await self._registry.load()
            function = self._registry.snapshot.functions.get(invocation.function)
        if function is None:
            return None
        # Made of the parent and its step, so that starting twice starts once.
        where = home_of(function.id, len(self._runs)) if function.counted else partition_of(invocation.run)
        event = run_id(invocation.run, f"invoke {invocation.key}", where)
        known = {"id": event, "name": NAME, "data": invocation.data, "ts": invocation.ts}
        return beginning(function, known, where, len(self._runs)), event
