"""Giving events to the waits that they end."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Resolved, Runs
from stepwell.platform.errors import StepwellError
from stepwell.platform.ids import partition_of
from stepwell.platform.reading.headers import header_of
from stepwell.platform.records import EventRecord, RunRecord
from stepwell.platform.waits.despite import despite
from stepwell.platform.waits.enlisting import Enlisting, in_time
from stepwell.platform.waits.index import PAGE, Index
from stepwell.platform.waits.listing import ALONE, Listing, Member, listings_in, noted
from stepwell.platform.waits.outcome import event_json, of_event
from stepwell.platform.waits.sought import fits

BATCH = 64
OVER = ""
"""Instead of a mark: the wait has ended."""


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
        if not rows:
            return 0
        try:
            await self._hear(rows)
        except StepwellError:
            raise
        except Exception:
            for row in rows:
                await despite(self._hear([row]), row.decode())
        await self._source.script("settle", items=[("matches", row) for row in rows])
        return len(rows)

    async def _hear(self, rows: Sequence[bytes]) -> None:
        texts = [row.decode().split(" ") for row in rows]
        events = await asyncio.gather(*[self._event(event) for event, *_ in texts])
        pairs = [(event, word) for event, (_, *words) in zip(events, texts, strict=True) if event for word in words]
        # In the order of the events, for each wait takes the first that it is given.
        pages = await asyncio.gather(*[self._index.hear(word, event) for event, word in pairs])
        await self._offer([Heard(*pair, *page) for pair, page in zip(pairs, pages, strict=True)])

    async def _offer(self, heard: Sequence[Heard]) -> None:
        if all(len(one.members) < PAGE for one in heard):
            await self._give([(one, member) for one in heard for member in one.members])
            return
        # One event after the other, to all who wait for it.
        for one in heard:
            await self._give([(one, member) for member in one.members])
            if len(one.members) == PAGE:
                await self._give_to_all(one)

    async def _give_to_all(self, one: Heard) -> None:
        cursor = b"0"
        while True:
            cursor, members = await self._index.scan(one.word, one.event, one.position, cursor)
            await self._give([(one, member) for member in members])
            if cursor == b"0":
                return

    async def _give(self, offers: Sequence[tuple[Heard, str]]) -> None:
        """Ends the waits for which an event is the one, in order."""
        members = [(heard, Member.parse(text)) for heard, text in offers]
        marks = await asyncio.gather(*[self._mark(heard, member) for heard, member in members])
        turns = defaultdict[tuple[str, str | None, int], list[tuple[Heard, Member, str]]](list)
        for (heard, member), mark in zip(members, marks, strict=True):
            if mark is not None:
                turns[member.who].append((heard, member, mark))
        await asyncio.gather(*[self._end_in_turn(turn) for turn in turns.values()])

    async def _end_in_turn(self, offers: Sequence[tuple[Heard, Member, str]]) -> None:
        """One after the other: some take longer than others, and the wait has to get the first."""
        for heard, member, mark in offers:
            await self._end(heard, member, mark)

    async def _mark(self, heard: Heard, member: Member) -> str | None:
        """The mark of a wait that the event ends; `OVER` for one that has ended, and `None` for one that goes on."""
        if not member.evaluates:
            return heard.word
        home = self._partitions[partition_of(member.run)]
        record = await header_of(home, member.run)
        listing = await self._kept(home, member) if record and not record.status.ended else None
        if record is None or listing is None:
            return OVER
        return listing.mark if await self._fits(home, record, listing, heard.event) else None

    async def _end(self, heard: Heard, member: Member, mark: str) -> None:
        event, run, home = heard.event, member.run, self._index.home(heard.event.name)
        if mark != OVER and member.key is None:
            await self._enlisting.cancel(run, event)
        elif mark != OVER and await self._resolve(heard, member, mark) == "OK":
            return  # it has left the list, or is about to
        await self._index.unlist(home, heard.word, member.text)

    async def _resolve(self, heard: Heard, member: Member, mark: str) -> Resolved:
        if member.ordinal != ALONE:
            await self._look_back(member)
        payload = of_event(heard.event, member.ordinal)
        home = self._runs[partition_of(member.run)]
        return await home.resolve(
            member.run, member.key or "", ok=True, payload=payload, mark=mark, position=heard.position
        )

    async def _look_back(self, member: Member) -> None:
        """A wait for several events may be listed for this one before it has looked for older ones of the others."""
        home, who = self._partitions[partition_of(member.run)], f"{member.run}|{member.key}"
        note: bytes | None = await home.read("HGET", home.keys.name("k_arming"), who)
        if note is not None:
            await self._enlisting.enlist_step(member.run, member.key or "", note)

    async def _fits(self, home: Partition, record: RunRecord, listing: Listing, event: EventRecord) -> bool:
        trigger = await home.read("GET", home.keys.name("k_event", record.event))
        if trigger is None or event.id == record.event or not in_time(listing, record.created, event):
            return False
        return fits(listing.rest, event_json(EventRecord.parse(record.event, trigger)), event_json(event))

    async def _kept(self, home: Partition, member: Member) -> Listing | None:
        """What a member looks for; `None` when it does so no more."""
        name = home.keys.name
        if member.key is None:
            note: bytes | None = await home.read("HGET", name("k_run", member.run), f"c:{member.number}")
            return noted(note) if note else None
        row: bytes | None = await home.read("HGET", name("k_steps", member.run), member.key)
        if row is None or not row.startswith(b"pending "):
            return None
        listings = listings_in(decode(row.split(b"\n", 2)[2])["waits"])
        return next((listing for listing in listings if listing.ordinal == member.ordinal), None)

    async def _event(self, event: str) -> EventRecord | None:
        record: bytes | None = await self._source.read("GET", self._source.keys.name("k_event", event))
        return EventRecord.parse(event, record) if record else None
