"""Invoking a function by hand: one run of it, with an event of its own that nothing else hears of."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Creation, Runs
from stepwell.platform.flow.controls import by_hand
from stepwell.platform.flow.refusal import Reason, Refusal
from stepwell.platform.ids import digest_of, home_of, new_id
from stepwell.platform.incoming import RESERVED, BadEvent, parse_event
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.starting import beginning, home_for
from stepwell.platform.steering.refusals import NoSuchFunction, NotNow, Unfit
from stepwell.platform.steering.rerunning import word_of
from stepwell.platform.waits.invoking import NAME

HINTS: Mapping[Reason, str] = {
    "paused": "Resume the function first",
    "singleton": "Wait until that one has ended, or cancel it",
}
"""What to do when a run cannot be started now; the other controls say which events start one, and this is none."""


class Invoking:
    """Starts runs by hand. May raise `NotSteered`, and `StepwellError` when Redis cannot be reached.

    Args:
        partitions: all of them.
        runs: those of each partition.
        registry: knows the functions.
        settings: limits.
        clock: theirs.
    """

    __slots__ = ("_clock", "_partitions", "_registry", "_runs", "_settings")

    def __init__(
        self,
        partitions: Sequence[Partition],
        runs: Sequence[Runs],
        registry: Registry,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._partitions = partitions
        self._runs = runs
        self._registry = registry
        self._settings = settings
        self._clock = clock

    async def invoke(self, id: str, data: Mapping[str, Any], request: str | None) -> str:
        """Creates a run of the function `app/function` for this data, and gives its id."""
        function = (await self._registry.load()).functions.get(id)
        if function is None:
            shown = id if len(id) <= 80 else f"{id[:80]}…"
            hint = "Correct the id, or start a worker that has it"
            raise NoSuchFunction(f"no function {shown!r} is registered", hint)
        self._check(data)
        word = word_of(request) or digest_of(new_id(self._clock.now()))
        asked = digest_of(f"{id} {word}")
        return await self._first(asked, request) or await self._create(function, data, asked)

    def _check(self, data: Mapping[str, Any]) -> None:
        try:
            parse_event({"name": NAME.removeprefix(RESERVED), "data": data}, self._settings.max_event_bytes)
        except BadEvent as mistake:
            raise Unfit(str(mistake), "The data is that of an event, and has the limits of one") from None

    async def _first(self, asked: str, request: str | None) -> str | None:
        """The run of a request before: the function may have moved since, to where nobody knows of that."""
        if request is None or len(self._partitions) == 1:
            return None
        keys = [(partition, partition.keys.name("k_asked", asked)) for partition in self._partitions]
        found: list[bytes | None] = await asyncio.gather(*[partition.read("GET", key) for partition, key in keys])
        return next((run.decode() for run in found if run), None)

    async def _create(self, function: RegisteredFunction, data: Mapping[str, Any], asked: str) -> str:
        now, count = self._clock.now(), len(self._partitions)
        home = home_for(function, home_of(asked, count), count)
        event, body = new_id(now, home), {"name": NAME, "data": data, "ts": now}
        made = beginning(function, {"id": event, **body}, home, count)
        record = b"N %s\n%s" % (made.run.encode(), encode(body))
        options = by_hand(made.options)
        creation = Creation(made.run, made.lane, made.version, event, 0, record, options, notes=made.notes)
        created = await self._runs[home].invoke(creation, asked)
        if created.outcome == "SKIPPED":
            refusal = Refusal.parse(created.more)
            raise NotNow(f"{function.id} has started no run: {refusal.text}", HINTS.get(refusal.reason, ""))
        return created.more
