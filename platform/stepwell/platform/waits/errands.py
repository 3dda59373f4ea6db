"""Errands: what one run's doings ask of others, kept until it is done. Done at once by those who cause it; and again,
should these have died, by the scheduler."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Any, TypeVar

import structlog

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.waits.aftermath import Aftermath
from stepwell.platform.waits.despite import despite
from stepwell.platform.waits.enlisting import Enlisting
from stepwell.platform.waits.hearing import Hearing
from stepwell.platform.waits.index import Index
from stepwell.platform.waits.invoking import Invocation, Invoking
from stepwell.platform.waits.listing import noted

T = TypeVar("T")

BATCH = 64
MOST = 1_024
"""Waits that are armed at once: more than BATCH, for those that cannot be must not hold up the others."""


class Errands:
    """The errands of one partition.

    Args:
        source: the partition.
        index: the lists.
        enlisting: lists waits.
        invoking: starts children.
        hearing: gives events to waits.
        aftermath: sees to the ends of runs.
    """

    __slots__ = ("_aftermath", "_enlisting", "_hearing", "_index", "_invoking", "_settle", "_source")

    def __init__(
        self,
        source: Partition,
        index: Index,
        enlisting: Enlisting,
        invoking: Invoking,
        hearing: Hearing,
        aftermath: Aftermath,
    ) -> None:
        self._source = source
        self._index = index
        self._enlisting = enlisting
        self._invoking = invoking
        self._hearing = hearing
        self._aftermath = aftermath
        self._settle = source.group("settle")

    async def empty(self) -> int:
        """Does what there is to do, until little is left; answers how much that was.

        Raises `StepwellError` when something could not be done, after all else was.
        """
        done, count = 0, BATCH
        while count >= BATCH:
            counts = await all_of(self._hearing.hear(), self._aftermath.follow(), self._arm(), self.gather_in())
            count = max(counts)
            done += sum(counts)
        return done

    async def arm(self, who: str, note: bytes | None = None) -> None:
        """Does what a wait needs done elsewhere, unless that has been done. Raises `StepwellError`.

        `note` is what is kept about it, where that is known.
        """
        if note is None:
            note = await self._source.read("HGET", self._source.keys.name("k_arming"), who)
        if note is not None:
            await self._do(who, note)

    async def _arm(self) -> int:
        cursor, works = b"0", list[Awaitable[object]]()
        while True:
            cursor, flat = await self._source.read("HSCAN", self._source.keys.name("k_arming"), cursor, "COUNT", BATCH)
            pairs = zip(flat[::2], flat[1::2], strict=True)
            works += [despite(self._do(who.decode(), note), who.decode()) for who, note in pairs]
            if cursor == b"0" or len(works) >= MOST:
                break
        await all_of(*works)
        return len(works)

    async def gather_in(self) -> int:
        """Takes waits that are over off the lists of other partitions."""
        rows: list[bytes] = await self._source.read("ZRANGE", self._source.keys.name("k_strays"), 0, BATCH - 1)
        strays = [row.decode().split(" ", 2) for row in rows]
        await asyncio.gather(*[self._index.unlist(int(home), word, member) for home, word, member in strays])
        if rows:
            await self._source.script("settle", items=[("strays", row) for row in rows])
        return len(rows)

    async def _do(self, who: str, note: bytes) -> None:
        run, mark, rest = who[:26], who[26], who[27:]
        if mark == "!":
            await self._enlisting.enlist_cancel(run, int(rest), noted(note.partition(b"\n")[2]))
        elif await self._do_for_step(run, rest, note):
            return
        await self._settle.add(("arming", who))

    async def _do_for_step(self, run: str, key: str, note: bytes) -> bool:
        """Answers whether that it had to be done is forgotten already."""
        what: Any = decode(note.partition(b"\n")[2])
        if "waits" in what:
            return await self._enlisting.enlist_step(run, key, note)
        await self._invoking.start(Invocation(run, key, what["function"], what["data"], what["ts"], what["home"]))
        return False


async def all_of(*work: Awaitable[T]) -> list[T]:
    """What all of it gives; when some of it fails, raises the first failure after the others were done."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome for outcome in done if not isinstance(outcome, BaseException)]


class AllErrands:
    """The errands of all partitions, each done by one task at a time in this process."""

    __slots__ = ("_busy", "_errands", "_more")

    def __init__(self, errands: Sequence[Errands]) -> None:
        self._errands = errands
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._more: set[int] = set()

    def __getitem__(self, partition: int) -> Errands:
        return self._errands[partition]

    def hurry(self, source: int) -> Callable[[Any], None]:
        """A callback that has the errands of a partition done now."""

        def go(_: object) -> None:
            self._more.add(source)
            if source not in self._busy:
                # A context of its own: it serves others than the task that has caused it.
                self._busy[source] = asyncio.create_task(self._go(source), context=Context())

        return go

    async def empty(self) -> None:
        """Does what there is to do in every partition, and what follows from that. Raises `StepwellError`."""
        while any(await all_of(*[errands.empty() for errands in self._errands])):
            pass

    async def _go(self, source: int) -> None:
        try:
            while source in self._more:
                self._more.discard(source)
                try:
                    await self._errands[source].empty()
                except StepwellError as error:
                    structlog.get_logger().warning("errands_not_done", error=str(error))
                except Exception:
                    structlog.get_logger().exception("errands_not_done")
        finally:
            del self._busy[source]
