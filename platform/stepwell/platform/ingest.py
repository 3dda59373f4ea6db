"""An event's way in: give it an id and a home, match it, and hand it to its partition in one grouped call."""

import asyncio
from collections.abc import Sequence

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import digest_of, home_of, new_id, run_id
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.lanes import lane_of
from stepwell.platform.registry import RegisteredFunction, Registry

WINDOW = 24 * 3_600_000
"""For how long an event's own id is remembered, in ms."""
BUCKET = WINDOW // 2
"""Width of a bucket of remembered ids: a look-up reads three; ids are forgotten a bucket at a time, 24 to 36 h old."""
RELOADS = 5


class Ingest:
    """Accepts events. What `accept` returned for is durable, and its runs exist or are on their way."""

    __slots__ = ("_clock", "_groups", "_partitions", "_registry")

    def __init__(self, partitions: Sequence[Partition], registry: Registry, clock: Clock) -> None:
        self._partitions = partitions
        self._registry = registry
        self._clock = clock
        self._groups = [partition.group("ingest", WINDOW, BUCKET) for partition in partitions]

    async def accept(self, events: Sequence[IncomingEvent]) -> list[str]:
        """Ids of the events, in order; for one whose own id is known, that of the first.

        Raises `StoreUnavailable` or `StoreFull`: then some of the events may have been accepted, and sending them again
        with the same ids is safe.
        """
        if len(events) == 1:
            return [await self._accept(events[0])]
        return await asyncio.gather(*[self._accept(event) for event in events])

    async def _accept(self, event: IncomingEvent) -> str:
        now = self._clock.now()
        partition = home_of(event.sender_id or new_id(now), len(self._partitions))
        event_id = new_id(now, partition)
        for _ in range(RELOADS):
            answer = await self._groups[partition].add(self._item(event, event_id, now, partition))
            match answer:
                case b"OK":
                    return event_id
                case [b"DUP", first]:
                    return str(first.decode())
                case _:
                    await self._registry.refresh()
        raise StoreUnavailable(self._partitions[partition].keys.tag, "the registry of functions keeps changing")

    def _item(self, event: IncomingEvent, event_id: str, now: int, partition: int) -> tuple[str | int | bytes, ...]:
        snapshot = self._registry.snapshot
        body = {"name": event.name, "data": event.data, "ts": event.ts or now}
        if event.sender_id:
            body["id"] = event.sender_id
        runs = [self._run(function, event, event_id, partition) for function in snapshot.matcher.match(event.name)]
        digest = digest_of(event.sender_id) if event.sender_id else ""
        due = event.ts if event.ts > now else 0
        return (snapshot.version, event_id, digest, due, "\n".join(runs), encode(body))

    def _run(self, function: RegisteredFunction, event: IncomingEvent, event_id: str, partition: int) -> str:
        """The run as a line for the script; a function with a constraint has a home of its own."""
        home = home_of(function.id, len(self._partitions)) if function.constraints else partition
        lane = lane_of(function.id, function.constraints, {"data": event.data, "name": event.name})
        target = "-" if home == partition else str(home)
        return f"{run_id(event_id, function.id, home)} {lane} {function.version} {target}"
