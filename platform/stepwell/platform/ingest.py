"""An event's way in: give it an id and a home, match it, and hand it to its partition in one grouped call."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from stepwell.platform.clock import Clock
from stepwell.platform.codec import encode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.ids import digest_of, home_of, new_id, run_id
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.outbox import Outboxes
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import RegisteredFunction
from stepwell.platform.starting import beginning, home_for
from stepwell.platform.store.connection import Reply, ReplyFuture

WINDOW = 24 * 3_600_000
"""For how long an event's own id is remembered, in ms."""
BUCKET = WINDOW // 2
"""Width of a bucket of remembered ids: a look-up reads three; ids are forgotten a bucket at a time, 24 to 36 h old."""
RELOADS = 5
Hurry: TypeAlias = Callable[[int], Callable[[Any], None]]
"""Gives, for a partition, a callback that has its errands done."""

Offer: TypeAlias = tuple[int, str, str, int, str, str, bytes]
"""An item for the script: registry version, id, digest of the sender's id, ts, words, runs as lines, body."""


class Entry(NamedTuple):
    """An event with the id it gets unless it is known already, and its home. A named tuple is cheap to make."""

    event: IncomingEvent
    id: str
    partition: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that was accepted, and the runs it started; `None` when it was known before."""

    id: str
    runs: tuple[str, ...] | None


class Ingest:
    """Accepts events. What it returned for is durable, and its runs exist or are on their way.

    Its methods raise `StoreUnavailable` or `StoreFull`: then some of the events may have been accepted, and sending
    them again with the same ids is safe.
    """

    __slots__ = ("_clock", "_groups", "_hurry", "_outboxes", "_partitions", "_registry")

    def __init__(self, partitions: Sequence[Partition], registry: Registry, clock: Clock) -> None:
        self._partitions = partitions
        self._registry = registry
        self._clock = clock
        self._groups = [partition.group("ingest", WINDOW, BUCKET) for partition in partitions]
        self._outboxes = Outboxes(partitions) if len(partitions) > 1 else None
        self._hurry: Hurry | None = None

    def connect(self, hurry: Hurry) -> None:
        """Has waits that events may end seen to at once; without it, the scheduler does so in time."""
        self._hurry = hurry

    async def accept(self, events: Sequence[IncomingEvent]) -> list[str]:
        """Ids of the events, in order; for one whose own id is known, that of the first."""
        now = self._clock.now()
        settled = await self._settle([self._entry(event, now) for event in events], now)
        return [offer[1] if answer == b"OK" else answer[1].decode() for offer, answer in settled]

    def prepare(self, event: IncomingEvent) -> Entry:
        """Gives an event the id it will have, for `accept_one`: so one can listen for its runs before they exist."""
        return self._entry(event, self._clock.now())

    async def accept_one(self, entry: Entry) -> Accepted:
        """Accepts a prepared event."""
        [((*_, runs, _), answer)] = await self._settle([entry], self._clock.now())
        if answer != b"OK":
            return Accepted(answer[1].decode(), None)
        return Accepted(entry.id, tuple(line.partition(" ")[0] for line in runs.splitlines()))

    async def _settle(self, entries: Sequence[Entry], now: int) -> list[tuple[Offer, Reply]]:
        """What was offered for each entry, and the answer to it."""
        settled: dict[int, tuple[Offer, Reply]] = {}
        stale = list(range(len(entries)))
        for _ in range(RELOADS):
            offered = await self._offer([entries[index] for index in stale], now)
            settled.update(zip(stale, offered, strict=True))
            stale = [index for index in stale if settled[index][1] == b"RELOAD"]
            if not stale:
                return [settled[index] for index in range(len(entries))]
            await self._registry.refresh()
        raise StoreUnavailable(self._partitions[0].store.where, "the registry of functions keeps changing")

    def _entry(self, event: IncomingEvent, now: int) -> Entry:
        count = len(self._partitions)
        partition = home_of(event.sender_id or new_id(now), count) if count > 1 else 0
        return Entry(event, new_id(now, partition), partition)

    async def _offer(self, entries: Sequence[Entry], now: int) -> list[tuple[Offer, Reply]]:
        offers = [self._item(entry, now) for entry in entries]
        if len(self._partitions) == 1:
            return list(zip(offers, await self._offer_to(0, offers), strict=True))
        homes: dict[int, list[int]] = {}
        for index, entry in enumerate(entries):
            homes.setdefault(entry.partition, []).append(index)
        replies = await asyncio.gather(
            *[self._offer_to(home, [offers[index] for index in chosen]) for home, chosen in homes.items()]
        )
        answers = dict(zip(chain.from_iterable(homes.values()), chain.from_iterable(replies), strict=True))
        return [(offer, answers[index]) for index, offer in enumerate(offers)]

    def _offer_to(self, partition: int, offers: Sequence[Offer]) -> ReplyFuture:
        answers = self._groups[partition].add_all(offers)
        if self._outboxes is not None and any(runs for *_, runs, _ in offers):
            answers.add_done_callback(self._outboxes.hurry(partition))
        if self._hurry is not None and any(words for *_, words, _, _ in offers):
            answers.add_done_callback(self._hurry(partition))
        return answers

    def _item(self, entry: Entry, now: int) -> Offer:
        event, snapshot = entry.event, self._registry.snapshot
        body = {"name": event.name, "data": event.data, "ts": event.ts or now}
        if event.sender_id:
            body["id"] = event.sender_id
        functions = snapshot.subscriptions.started_by(event.name, lambda: {**body, "id": entry.id})
        words = " ".join(snapshot.awaited.words({**body, "id": entry.id})) if event.name in snapshot.awaited else ""
        runs = "\n".join([self._run(function, entry, body, now) for function in functions])
        digest = digest_of(event.sender_id) if event.sender_id else ""
        # Whether `ts` lies in the future is for Redis to say: its time decides when a run starts.
        return (snapshot.version, entry.id, digest, event.ts, words, runs, encode(body))

    def _run(self, function: RegisteredFunction, entry: Entry, body: Mapping[str, Any], now: int) -> str:
        """The run as a line for the script."""
        if not (function.counted or function.controlled):
            run = run_id(entry.id, function.id, entry.partition)
            return f"{run} {function.id} {function.version} - - -"
        count = len(self._partitions)
        # An event whose time is to come starts its run then, alone.
        gathers = entry.event.ts <= now
        home = home_for(function, entry.partition, count)
        made = beginning(function, {**body, "id": entry.id}, home, count, gathers=gathers)
        target = "-" if made.home == entry.partition else str(made.home)
        return f"{made.run} {made.lane} {made.version} {target} {made.options} {made.notes}"
