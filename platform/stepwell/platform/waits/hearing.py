"""Giving events to the waits that they end."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ids import partition_of
from stepwell.platform.reading.headers import header_of
from stepwell.platform.records import EventRecord
from stepwell.platform.waits.enlisting import Enlisting, in_time
from stepwell.platform.waits.index import PAGE, Index
from stepwell.platform.waits.listing import Listing, Member, listings_in, noted
from stepwell.platform.waits.outcome import event_json, of_event
from stepwell.platform.waits.sought import fits

BATCH = 64


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, a word of it, its position under that word, and waits under it."""

    event: EventRecord
    word: str
    position: int
    members: list[str]


class Hearing:
    """The events of one partition that somebody may wait for.

    Giving an event twice, or by two processes at once, ends nothing twice.

    Args:
        source: where the events are at home.
        partitions: all of them.
        runs: those of each partition.
        index: the lists.
        enlisting: cancels runs.
    """

    __slots__ = ("_enlisting", "_index", "_partitions", "_runs", "_source")

    def __init__(
        self,
        source: Partition,
        partitions: Sequence[Partition],
        runs: Sequence[Runs],
        index: Index,
        enlisting: Enlisting,
    ) -> None:
        self._source = source
        self._partitions = partitions
        self._runs = runs
        self._index = index
        self._enlisting = enlisting

    async def hear(self) -> int:
        """Gives the next events to those who wait; answers how many events. Raises `StepwellError`."""
        name = self._source.keys.name
        rows: list[bytes] = await self._source.read("ZRANGE", name("k_matches"), 0, BATCH - 1)
        texts = [row.decode().split(" ") for row in rows]
        events = await asyncio.gather(*[self._event(event) for event, *_ in texts])
        pairs = [(event, word) for event, (_, *words) in zip(events, texts, strict=True) if event for word in words]
        # In the order of the events, for each wait takes the first that it is given.
        pages = await asyncio.gather(*[self._index.hear(word, event) for event, word in pairs])
        await self._offer([Heard(*pair, *page) for pair, page in zip(pairs, pages, strict=True)])
        await self._source.script("settle", items=[("matches", row) for row in rows])
        return len(rows)

    async def _offer(self, heard: Sequence[Heard]) -> None:
        stay = iter(await self._give([(one, member) for one in heard for member in one.members]))
        for one in heard:
            staying = sum([next(stay) for _ in one.members])
            if len(one.members) == PAGE:
                await self._go_on(one, staying)

    async def _go_on(self, one: Heard, skip: int) -> None:
        members = one.members
        while len(members) == PAGE:
            members = await self._index.page(one.word, one.event, one.position, skip)
            skip += sum(await self._give([(one, member) for member in members]))

    async def _give(self, offers: Sequence[tuple[Heard, str]]) -> list[bool]:
        """Ends the waits for which an event is the one, in order; for each offer, whether it stays on the list."""
        members = [(heard, Member.parse(text)) for heard, text in offers]
        marks = await asyncio.gather(*[self._mark(heard, member) for heard, member in members])
        ending = [(*one, mark) for one, mark in zip(members, marks, strict=True) if mark is not None]
        await asyncio.gather(*[self._end(heard, member, mark) for heard, member, mark in ending])
        return [mark is None for mark in marks]

    async def _mark(self, heard: Heard, member: Member) -> str | None:
        """The mark of a wait that the event ends; `None` when it does not."""
        if not member.evaluates:
            return heard.word
        listing = await self._listing(member, heard.event)
        return listing.mark if listing else None

    async def _end(self, heard: Heard, member: Member, mark: str) -> None:
        event, run = heard.event, member.run
        if member.key is None:
            await self._enlisting.cancel(run, event)
        else:
            payload = of_event(event, member.ordinal)
            await self._runs[partition_of(run)].resolve(
                run, member.key, ok=True, payload=payload, mark=mark, position=heard.position
            )
        # A step in the partition of the list has left it already.
        if member.key is None or partition_of(run) != self._index.home(event.name):
            await self._index.unlist(event.name, heard.word, member.text)

    async def _listing(self, member: Member, event: EventRecord) -> Listing | None:
        """What a member looks for, if the event is that."""
        home = self._partitions[partition_of(member.run)]
        record = await header_of(home, member.run)
        if record is None:
            return None
        trigger = await home.read("GET", home.keys.name("k_event", record.event))
        listing = await self._kept(home, member)
        if trigger is None or listing is None or not in_time(listing, record.created, event):
            return None
        known = event_json(EventRecord.parse(record.event, trigger))
        return listing if fits(listing.rest, known, event_json(event)) else None

    async def _kept(self, home: Partition, member: Member) -> Listing | None:
        name = home.keys.name
        if member.key is None:
            note: bytes | None = await home.read("HGET", name("k_run", member.run), f"c:{member.number}")
            return noted(note) if note else None
        row: bytes | None = await home.read("HGET", name("k_steps", member.run), member.key)
        parts = row.split(b"\n", 2) if row else []
        if len(parts) < 3:
            return None
        listings = listings_in(decode(parts[2])["waits"])
        return next((listing for listing in listings if listing.ordinal == member.ordinal), None)

    async def _event(self, event: str) -> EventRecord | None:
        record: bytes | None = await self._source.read("GET", self._source.keys.name("k_event", event))
        return EventRecord.parse(event, record) if record else None
