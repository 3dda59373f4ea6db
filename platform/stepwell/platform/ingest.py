"""An event's way in: give it an id and a home, match it, and hand it to its partition in one grouped call."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import digest_of, home_of, new_id, run_id
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.lanes import lane_of
from stepwell.platform.outbox import Outboxes
from stepwell.platform.registry import RegisteredFunction, Registry
from stepwell.platform.store.connection import ReplyFuture

WINDOW = 24 * 3_600_000
"""For how long an event's own id is remembered, in ms."""
BUCKET = WINDOW // 2
"""Width of a bucket of remembered ids: a look-up reads three; ids are forgotten a bucket at a time, 24 to 36 h old."""
RELOADS = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with the id it gets unless it is known already, and its home. `now` in ms UTC."""

    event: IncomingEvent
    id: str
    partition: int
    now: int


class Ingest:
    """Accepts events. What `accept` returned for is durable, and its runs exist or are on their way."""

    __slots__ = ("_clock", "_groups", "_outboxes", "_partitions", "_registry")

    def __init__(self, partitions: Sequence[Partition], registry: Registry, clock: Clock) -> None:
        self._partitions = partitions
        self._registry = registry
        self._clock = clock
        self._groups = [partition.group("ingest", WINDOW, BUCKET) for partition in partitions]
        self._outboxes = Outboxes(partitions) if len(partitions) > 1 else None

    async def accept(self, events: Sequence[IncomingEvent]) -> list[str]:
        """Ids of the events, in order; for one whose own id is known, that of the first.

        Raises `StoreUnavailable` or `StoreFull`: then some of the events may have been accepted, and sending them again
        with the same ids is safe.
        """
        now = self._clock.now()
        entries = [self._entry(event, now) for event in events]
        ids = [entry.id for entry in entries]
        waiting = list(range(len(entries)))
        for _ in range(RELOADS):
            answers = await asyncio.gather(*[self._offer(entries[index]) for index in waiting])
            stale: list[int] = []
            for index, answer in zip(waiting, answers, strict=True):
                if answer == b"RELOAD":
                    stale.append(index)
                elif answer != b"OK":
                    ids[index] = answer[1].decode()
            if not stale:
                return ids
            await self._registry.refresh()
            waiting = stale
        raise StoreUnavailable(self._partitions[0].store.where, "the registry of functions keeps changing")

    def _entry(self, event: IncomingEvent, now: int) -> Entry:
        count = len(self._partitions)
        partition = home_of(event.sender_id or new_id(now), count) if count > 1 else 0
        return Entry(event, new_id(now, partition), partition, now)

    def _offer(self, entry: Entry) -> ReplyFuture:
        event, snapshot = entry.event, self._registry.snapshot
        body = {"name": event.name, "data": event.data, "ts": event.ts or entry.now}
        if event.sender_id:
            body["id"] = event.sender_id
        runs = [self._run(function, entry) for function in snapshot.matcher.match(event.name)]
        digest = digest_of(event.sender_id) if event.sender_id else ""
        # Whether `ts` lies in the future is for Redis to say: its time decides when a run starts.
        item = (snapshot.version, entry.id, digest, event.ts, "\n".join(runs), encode(body))
        answer = self._groups[entry.partition].add(item)
        if self._outboxes is not None and runs:
            answer.add_done_callback(self._outboxes.hurry(entry.partition))
        return answer

    def _run(self, function: RegisteredFunction, entry: Entry) -> str:
        """The run as a line for the script; a function with a constraint has a home of its own."""
        if not function.constraints:
            run = run_id(entry.id, function.id, entry.partition)
            return f"{run} {function.id} {function.version} -"
        event = entry.event
        home = home_of(function.id, len(self._partitions))
        lane = lane_of(function.id, function.constraints, {"data": event.data, "name": event.name})
        target = "-" if home == entry.partition else str(home)
        return f"{run_id(entry.id, function.id, home)} {lane} {function.version} {target}"
