"""Errands: what one run's doings ask of others, kept until it is done. Done at once by those who cause it; and again,
should these have died, by the scheduler."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any

import structlog

from stepwell.platform.codec import decode
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.waits.aftermath import Aftermath
from stepwell.platform.waits.enlisting import Enlisting
from stepwell.platform.waits.hearing import Hearing
from stepwell.platform.waits.invoking import Invocation, Invoking
from stepwell.platform.waits.listing import listings_in, noted

BATCH = 64


class Errands:
    """The errands of one partition.

    Args:
        source: the partition.
        enlisting: lists waits.
        invoking: starts children.
        hearing: gives events to waits.
        aftermath: sees to the ends of runs.
    """

    __slots__ = ("_aftermath", "_enlisting", "_hearing", "_invoking", "_settle", "_source")

    def __init__(
        self, source: Partition, enlisting: Enlisting, invoking: Invoking, hearing: Hearing, aftermath: Aftermath
    ) -> None:
        self._source = source
        self._enlisting = enlisting
        self._invoking = invoking
        self._hearing = hearing
        self._aftermath = aftermath
        self._settle = source.group("settle")

    async def empty(self) -> None:
        """Does what there is to do, until little is left. Raises `StepwellError`."""
        while max(await self._hearing.hear(), await self._aftermath.follow(), await self._arm()) >= BATCH:
            pass

    async def arm(self, who: str, note: bytes | None = None) -> None:
        """Does what a wait needs done elsewhere, unless that has been done. Raises `StepwellError`.

        `note` is what is kept about it, where that is known.
        """
        if note is None:
            note = await self._source.read("HGET", self._source.keys.name("k_arming"), who)
        if note is not None:
            await self._do(who, note)

    async def _arm(self) -> int:
        _, flat = await self._source.read("HSCAN", self._source.keys.name("k_arming"), 0, "COUNT", BATCH)
        notes = zip(flat[::2], flat[1::2], strict=True)
        await asyncio.gather(*[self._do(who.decode(), note) for who, note in notes])
        return len(flat) // 2

    async def _do(self, who: str, note: bytes) -> None:
        seen, _, text = note.partition(b"\n")
        run, mark, rest = who[:26], who[26], who[27:]
        if mark == "!":
            await self._enlisting.enlist_cancel(run, int(rest), noted(text))
        elif await self._do_for_step(run, rest, [int(float(position)) for position in seen.split()], decode(text)):
            return
        await self._settle.add(("arming", who))

    async def _do_for_step(self, run: str, key: str, seen: Sequence[int], what: Any) -> bool:
        """Answers whether that it had to be done is forgotten already."""
        if "waits" in what:
            return await self._enlisting.enlist_step(run, key, listings_in(what["waits"]), seen, what["ttl"])
        await self._invoking.start(Invocation(run, key, what["function"], what["data"], what["ts"]))
        return False


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
        """Does what there is to do in every partition. Raises `StepwellError`."""
        for errands in self._errands:
            await errands.empty()

    async def _go(self, source: int) -> None:
        try:
            while source in self._more:
                self._more.discard(source)
                try:
                    await self._errands[source].empty()
                except StepwellError as error:
                    structlog.get_logger().warning("errands_not_done", error=str(error))
        finally:
            del self._busy[source]
