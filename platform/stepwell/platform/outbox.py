"""Delivers runs to the partition they are at home in, when that is not their event's."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any

import structlog

from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Created, Creation, Runs
from stepwell.platform.errors import StepwellError

BATCH = 64
PERIOD = 1.0
"""Seconds between two looks for what whoever put it in has not delivered."""


class Outbox:
    """The undelivered creations of one partition.

    Delivering twice, or by two processes at once, creates nothing twice.
    """

    __slots__ = ("_source", "_targets")

    def __init__(self, source: Partition, targets: Sequence[Runs]) -> None:
        self._source = source
        self._targets = targets

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            try:
                await self.empty()
            except StepwellError as error:
                structlog.get_logger().warning("outbox_not_delivered", error=str(error))
            await asyncio.sleep(PERIOD)

    async def empty(self) -> None:
        """Delivers until little is left, or raises as `deliver`."""
        while await self.deliver() >= BATCH:
            pass

    async def deliver(self) -> int:
        """Delivers what waits now, in order for each target; answers how many runs.

        Raises `StepwellError` when one of the targets could not be reached, after the others were served.
        """
        waiting = await self._source.read("SMEMBERS", self._source.keys.name("k_outboxes"))
        served = await asyncio.gather(*[self._deliver_to(int(target)) for target in waiting], return_exceptions=True)
        for failure in served:
            if isinstance(failure, BaseException):
                raise failure
        return sum(count for count in served if isinstance(count, int))

    async def _deliver_to(self, target: int) -> int:
        key = self._source.keys.name("k_outbox", str(target))
        rows = await self._source.read("XRANGE", key, "-", "+", "COUNT", BATCH)
        creations = [await self._creation(fields) for _, fields in rows]
        wanted = [creation for creation in creations if creation is not None]
        created = await self._targets[target].create(wanted)
        told = {creation.run: _told(creation, one) for creation, one in zip(wanted, created, strict=True)}
        items = [(position, *told.get(_run(fields), ("", "", ""))) for position, fields in rows]
        await self._source.script("delivered", target, items=items)
        return len(rows)

    async def _creation(self, fields: Sequence[bytes]) -> Creation | None:
        row = dict(zip(fields[::2], (value.decode() for value in fields[1::2]), strict=True))
        record = await self._source.read("GET", self._source.keys.name("k_event", row[b"event"]))
        if record is None:
            # Nothing of ours removes it, and behind a row that can never be delivered no other would be.
            structlog.get_logger().error("event_gone_before_its_run", event_id=row[b"event"], run=row[b"run"])
            return None
        return Creation(
            row[b"run"],
            row[b"lane"],
            row[b"version"],
            row[b"event"],
            int(row[b"due"]),
            record,
            row.get(b"options", "-"),
            notes=row.get(b"notes", "-"),
        )


def _run(fields: Sequence[bytes]) -> str:
    return fields[fields.index(b"run") + 1].decode()


def _told(creation: Creation, created: Created) -> tuple[str, str, str]:
    """What the event is to say of a run, where it is not that there is such a run: see lua/include/keeping.lua."""
    if not created.more:
        return "", "", ""
    function = creation.lane.partition("|")[0]
    told = f"{function}={created.more}" if created.outcome == "SKIPPED" else created.more
    return creation.event, creation.run, told


class Outboxes:
    """The outboxes of all partitions, delivered by whoever fills them; the scheduler sees to what is left."""

    __slots__ = ("_busy", "_more", "_outboxes")

    def __init__(self, partitions: Sequence[Partition]) -> None:
        targets = [Runs(partition, 0) for partition in partitions]
        self._outboxes = [Outbox(partition, targets) for partition in partitions]
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._more: set[int] = set()

    def hurry(self, source: int) -> Callable[[Any], None]:
        """A callback that has the outbox of a partition delivered now."""

        def deliver(_: object) -> None:
            self._more.add(source)
            if source not in self._busy:
                # A context of its own: it serves others than the task that has put something in.
                self._busy[source] = asyncio.create_task(self._deliver(source), context=Context())

        return deliver

    async def _deliver(self, source: int) -> None:
        try:
            while source in self._more:
                self._more.discard(source)
                with suppress(StepwellError):
                    await self._outboxes[source].empty()
        finally:
            del self._busy[source]
