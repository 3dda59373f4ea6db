"""Pages of events, newest first, out of the logs of all partitions."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NamedTuple

from stepwell.platform.engine.partition import Partition
from stepwell.platform.expressions import Expression
from stepwell.platform.reading.headers import event_name
from stepwell.platform.reading.newest import newest
from stepwell.platform.reading.pages import MOST_EXAMINED, BadCursor, Page
from stepwell.platform.reading.where import Judge, event_value
from stepwell.platform.records import EventRecord

MOST_BYTES = 4 << 20
"""Data of one page, after which it ends early."""
AT_ONCE = 8
NAMES_AT_ONCE = 100
_CURSOR = re.compile(r"([0-9]{1,16})-([0-9]{1,16})-([0-9]{1,4})", re.ASCII)


class Position(NamedTuple):
    """Where in the logs an event is: time and number of its entry, and the partition."""

    ms: int
    number: int
    partition: int
    event: str = ""

    @property
    def cursor(self) -> str:
        """As text."""
        return f"{self.ms}-{self.number}-{self.partition}"

    @classmethod
    def parse(cls, cursor: str) -> "Position":
        """From its text. Raises `BadCursor`."""
        found = _CURSOR.fullmatch(cursor)
        if not found:
            raise BadCursor(cursor)
        ms, number, partition = map(int, found.groups())
        return cls(ms, number, partition)


@dataclass(frozen=True, slots=True)
class LogIndex:
    """The log of one partition."""

    partition: Partition

    async def size(self) -> int:
        """How many events it has."""
        size: int = await self.partition.read("XLEN", self.partition.keys.name("k_log"))
        return size

    async def below(self, bound: Position | None, count: int) -> list[Position]:
        """See `Index.below`. At the very position of `bound` only partitions before its own have older entries."""
        newest_end = "+"
        if bound:
            exclusive = "" if self.partition.index < bound.partition else "("
            newest_end = f"{exclusive}{bound.ms}-{bound.number}"
        log = self.partition.keys.name("k_log")
        entries = await self.partition.read("XREVRANGE", log, newest_end, "-", "COUNT", count)
        return [self._position(entry.decode(), fields[1].decode()) for entry, fields in entries]

    def _position(self, entry: str, event: str) -> Position:
        ms, _, number = entry.partition("-")
        return Position(int(ms), int(number), self.partition.index, event)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted: those of one `name`, and those of which `where` is true; see `where.py`."""

    name: str | None = None
    where: Expression | None = None


@dataclass(slots=True)
class _Scan:
    """What a page has so far, where it would be continued, and whether its last entries were cut off."""

    limit: int
    judge: Judge | None
    found: list[EventRecord] = field(default_factory=list[EventRecord])
    size: int = 0
    examined: int = 0
    last: Position | None = None
    cut: bool = False

    @property
    def done(self) -> bool:
        full = len(self.found) >= self.limit or self.size >= MOST_BYTES or self.examined >= MOST_EXAMINED
        return full or (self.judge is not None and self.examined > 0 and self.judge.late)

    def take(self, event: EventRecord, size: int) -> None:
        """Looks at an event of `size` bytes, which has the name that is wanted."""
        if self.judge is None or self.judge.finds({"event": event_value(event)}):
            self.size += size
            self.found.append(event)

    def page(self, total: int, *, more: bool) -> Page[EventRecord]:
        following = self.last.cursor if more and self.last else None
        return Page(tuple(self.found), following, self.examined, total, self.judge.undecided if self.judge else 0)


class EventPages:
    """Lists of events of all `partitions`."""

    __slots__ = ("_partitions",)

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    async def page(self, wanted: EventFilter, cursor: str | None, limit: int) -> Page[EventRecord]:
        """Up to `limit` events behind `cursor`, fewer when they are large. Raises `BadCursor`."""
        scan = _Scan(limit, Judge.of(wanted.where) if wanted.where else None)
        logs = [LogIndex(partition) for partition in self._partitions]
        more = await self._scan(scan, wanted.name, newest(logs, None if cursor is None else Position.parse(cursor)))
        return scan.page(sum(await asyncio.gather(*[log.size() for log in logs])), more=more)

    async def _scan(self, scan: _Scan, name: str | None, merged: AsyncGenerator[list[Position]]) -> bool:
        """Looks at what comes until the page is done; answers whether there may be more."""
        async with aclosing(merged) as batches:
            async for batch in batches:
                for first in range(0, len(batch), NAMES_AT_ONCE):
                    if scan.done:
                        return True
                    await self._examine(scan, name, batch[first : first + NAMES_AT_ONCE])
        return scan.cut

    async def _examine(self, scan: _Scan, name: str | None, positions: Sequence[Position]) -> None:
        wanted = set(positions if name is None else await self._named(name, positions))
        left = [position for position in positions if position in wanted]
        before, places = scan.examined, {position: place for place, position in enumerate(positions, 1)}
        while left and not scan.done:
            room = min(AT_ONCE, scan.limit - len(scan.found))
            taken, left = left[:room], left[room:]
            for position, record in zip(taken, await asyncio.gather(*map(self._record, taken)), strict=True):
                scan.examined, scan.last = before + places[position], position
                if record:
                    scan.take(EventRecord.parse(position.event, record), len(record))
        scan.cut = bool(left)
        if not scan.cut:
            scan.examined, scan.last = before + len(positions), positions[-1]

    async def _named(self, name: str, positions: Sequence[Position]) -> list[Position]:
        homes = [self._partitions[position.partition] for position in positions]
        events = [position.event for position in positions]
        names = await asyncio.gather(*map(event_name, homes, events))
        return [position for position, found in zip(positions, names, strict=True) if found == name]

    async def _record(self, position: Position) -> bytes | None:
        home = self._partitions[position.partition]
        record: bytes | None = await home.read("GET", home.keys.name("k_event", position.event))
        return record
