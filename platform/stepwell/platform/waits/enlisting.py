"""Listing what waits for events: after a look at those that have come already, oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ids import partition_of
from stepwell.platform.reading.headers import header_of
from stepwell.platform.records import EventRecord, RunRecord
from stepwell.platform.waits.index import STEPS, Index
from stepwell.platform.waits.listing import Listing, listings_in
from stepwell.platform.waits.outcome import event_json, failed, of_event
from stepwell.platform.waits.sought import fits


@dataclass(frozen=True, slots=True)
class Found:
    """An event that had come already, and the listing that it fulfils."""

    position: int
    event: EventRecord
    listing: Listing


class Enlisting:
    """Lists the waits of runs.

    Args:
        partitions: all of them.
        runs: those of each partition.
        index: the lists.
    """

    __slots__ = ("_index", "_partitions", "_runs")

    def __init__(self, partitions: Sequence[Partition], runs: Sequence[Runs], index: Index) -> None:
        self._partitions = partitions
        self._runs = runs
        self._index = index

    async def enlist_step(self, run: str, key: str, note: bytes) -> bool:
        """Lists the waits of a step, or ends it with the oldest event that has come already.

        `note`: what is kept about it until that is done; see lua/arm.lua. Its positions are, for each listing, that of
        the last event that a wait like it has taken; and behind these that at which the step began to wait. Answers
        whether the note was removed as well. Raises `StepwellError`.
        """
        seen, _, text = note.partition(b"\n")
        listings = listings_in(decode(text)["waits"])
        evaluates = any(listing.rest or listing.own for listing in listings)
        trigger = await self._trigger(run) if evaluates else None
        *taken, began = [int(float(position)) for position in seen.split()]
        after = [max(self._beginning(listing, began), last) for listing, last in zip(listings, taken, strict=True)]
        found = await self._enlist_all(listings, f"{run}|{key}", after, trigger)
        if found and len(listings) > 1:
            # An older one may have come for a listing that was done with when this was found.
            found = await self._enlist_all(listings, f"{run}|{key}", after, trigger) or found
        if found:
            first = min(found, key=lambda one: one.position)
            payload = of_event(first.event, first.listing.ordinal)
            home = self._runs[partition_of(run)]
            await home.resolve(run, key, ok=True, payload=payload, mark=first.listing.mark, position=first.position)
        strays = self._elsewhere(run, listings)
        if strays and not await self._waits(run, key):
            await self._unlist(f"{run}|{key}", strays)
        return not found and not strays and len(listings) == 1

    async def enlist_cancel(self, run: str, number: int, listing: Listing) -> None:
        """Lists an event that cancels a run, or cancels it because that has come already. Raises `StepwellError`."""
        record = await self._live(run)
        trigger = await self._event(run, record.event) if record else None
        if record is None or trigger is None:
            return
        after, who = self._index.beginning(_position(record, trigger)), f"{run}!{number}"
        found = await self._enlist(listing, who, after, trigger, last=True, created=record.created)
        if found is not None:
            await self.cancel(run, found.event)
        strays = self._elsewhere(run, [listing])
        if strays and not await self._live(run):
            await self._unlist(who, strays)

    async def cancel(self, run: str, event: EventRecord) -> None:
        """Cancels a run because of an event. Raises `StepwellError`."""
        await self._runs[partition_of(run)].cancel(run, failed("CancelledByEvent", f"{event.name} {event.id} has come"))

    def _beginning(self, listing: Listing, began: int) -> int:
        return self._index.since(began) if listing.after is None else self._index.beginning(listing.after)

    async def _enlist_all(
        self, listings: Sequence[Listing], who: str, after: Sequence[int], trigger: EventRecord | None
    ) -> list[Found]:
        found, only = list[Found](), len(listings) == 1
        for listing, position in zip(listings, after, strict=True):
            one = await self._enlist(listing, who, position, trigger, last=only)
            found += [] if one is None else [one]
        return found

    async def _enlist(
        self, listing: Listing, who: str, after: int, trigger: EventRecord | None, *, last: bool, created: int = 0
    ) -> Found | None:
        known = event_json(trigger) if trigger else {}
        while before := await self._index.enlist(listing, who, after, last=last):
            for event_id, position in before:
                event = None if trigger and trigger.id == event_id else await self._event(event_id, event_id)
                if event and in_time(listing, created, event) and fits(listing.rest, known, event_json(event)):
                    return Found(position, event, listing)
                after = position
        return None

    def _elsewhere(self, run: str, listings: Sequence[Listing]) -> list[Listing]:
        return [listing for listing in listings if self._index.home(listing.name) != partition_of(run)]

    async def _unlist(self, who: str, strays: Sequence[Listing]) -> None:
        """What has ended while it was being listed elsewhere could not know that it would be."""
        for listing in strays:
            await self._index.unlist(self._index.home(listing.name), listing.word, listing.sign + who)

    async def _waits(self, run: str, key: str) -> bool:
        home = self._partitions[partition_of(run)]
        return bool(await home.read("HEXISTS", home.keys.name("k_run", run), f"l:{key}"))

    async def _live(self, run: str) -> RunRecord | None:
        record = await header_of(self._partitions[partition_of(run)], run)
        return None if record is None or record.status.ended else record

    async def _trigger(self, run: str) -> EventRecord | None:
        record = await header_of(self._partitions[partition_of(run)], run)
        return await self._event(run, record.event) if record else None

    async def _event(self, where: str, event: str) -> EventRecord | None:
        """An event as it is kept in the partition of the id `where`."""
        home = self._partitions[partition_of(where)]
        record: bytes | None = await home.read("GET", home.keys.name("k_event", event))
        return EventRecord.parse(event, record) if record else None


def _position(run: RunRecord, event: EventRecord) -> int:
    """Behind which events cancel a run: those that came before somebody had it done again do not."""
    return max(event.position, run.created * STEPS) if run.rerun_of else event.position


def in_time(listing: Listing, created: int, event: EventRecord) -> bool:
    """Whether an event has come while it counts."""
    return not listing.within or event.received <= created + listing.within
