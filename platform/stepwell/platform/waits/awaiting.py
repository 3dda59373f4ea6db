"""Making sure that events of a name can be found by certain paths, those that came before included."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import partition_of
from stepwell.platform.reading.events import LogIndex, Position
from stepwell.platform.reading.headers import event_name
from stepwell.platform.reading.newest import newest
from stepwell.platform.records import EventRecord
from stepwell.platform.registry import Registry
from stepwell.platform.waits.index import Index
from stepwell.platform.waits.outcome import event_json
from stepwell.platform.waits.words import Awaited, Paths

LOOK_BACK = 20_000
"""Events before the first wait of its kind that are looked through."""
AT_ONCE = 100


class Awaiting:
    """Which events may be waited for, as the registry says it, and how more come to it.

    Args:
        partitions: all of them.
        registry: of the installation.
        index: where events are noted.
    """

    __slots__ = ("_done", "_index", "_partitions", "_registry", "_under_way")

    def __init__(self, partitions: Sequence[Partition], registry: Registry, index: Index) -> None:
        self._partitions = partitions
        self._registry = registry
        self._index = index
        self._done: set[tuple[str, Paths]] = set()
        self._under_way: dict[tuple[str, Paths], asyncio.Lock] = {}

    def sets_of(self, name: str) -> tuple[Paths, ...]:
        """The sets of paths that events of this name are looked up by already."""
        return self._registry.snapshot.awaited.sets_of(name)

    async def ensure(self, name: str, paths: Paths) -> bool:
        """Has all events of `name` looked up by `paths`; False when no more names can be waited for.

        Raises `StepwellError`.
        """
        pair = (name, paths)
        if pair in self._done or pair in self._registry.snapshot.indexed:
            return True
        try:
            async with self._under_way.setdefault(pair, asyncio.Lock()):
                return pair in self._done or await self._begin(pair)
        finally:
            self._under_way.pop(pair, None)

    async def _begin(self, pair: tuple[str, Paths]) -> bool:
        # First what comes, then what has come: an event between the two is noted twice, which is once.
        if not await self._registry.await_events(*pair, indexed=False):
            return False
        if pair not in self._registry.snapshot.indexed:
            await self._look_back(*pair)
            await self._registry.await_events(*pair, indexed=True)
        self._done.add(pair)
        return True

    async def _look_back(self, name: str, paths: Paths) -> None:
        awaited, seen = Awaited([(name, paths)]), 0
        logs = [LogIndex(partition) for partition in self._partitions]
        newest_first: AsyncGenerator[list[Position]] = newest(logs, None)
        async with aclosing(newest_first) as batches:
            async for batch in batches:
                for first in range(0, len(batch), AT_ONCE):
                    await self._note(name, awaited, [position.event for position in batch[first : first + AT_ONCE]])
                seen += len(batch)
                if seen >= LOOK_BACK:
                    return

    async def _note(self, name: str, awaited: Awaited, events: Sequence[str]) -> None:
        names = await asyncio.gather(*[event_name(self._partitions[partition_of(event)], event) for event in events])
        named = [event for event, found in zip(events, names, strict=True) if found == name]
        records = await asyncio.gather(*map(self._record, named))
        found = [EventRecord.parse(event, record) for event, record in zip(named, records, strict=True) if record]
        noted = [(event, word) for event in found for word in awaited.words(event_json(event))]
        await asyncio.gather(*[self._index.hear(word, event) for event, word in noted])

    async def _record(self, event: str) -> bytes | None:
        home = self._partitions[partition_of(event)]
        record: bytes | None = await home.read("GET", home.keys.name("k_event", event))
        return record
