"""What anybody with the right may do to a run from outside: cancel it, or resolve what it waits for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stepwell.platform.engine.partition import Partition

Cancelled = Literal["CANCELLED", "ASKED", "ENDED", "GONE"]
Resolved = Literal["OK", "DONE", "GONE"]


@dataclass(frozen=True, slots=True)
class Creation:
    """A run to be created away from its event.

    `due` in ms UTC or 0; `options` and `link` as in lua/include/creation.lua; `record` is the event as its own partition
    holds it.
    """

    run: str
    lane: str
    version: str
    event: str
    due: int
    record: bytes
    options: str = "-"
    link: str = ""


class Runs:
    """The runs of one partition. `patience`: ms an owner has to let go of a run that is to be cancelled."""

    __slots__ = ("_create", "_partition", "_patience")

    def __init__(self, partition: Partition, patience: int) -> None:
        self._create = partition.group("create")
        self._partition = partition
        self._patience = patience

    async def cancel(self, run: str) -> Cancelled:
        """Cancels a run: at once, or by asking its owner. `ENDED` and `GONE` change nothing."""
        early = int(self._partition.store.partitions > 1)
        answer = await self._partition.script("cancel", self._patience, early, items=[(run,)])
        return answer[0].decode()  # type: ignore[no-any-return]

    async def resolve(self, run: str, key: str, *, ok: bool, payload: bytes) -> Resolved:
        """Gives a waiting step its outcome before its time; the first who does so wins."""
        answer = await self._partition.script("resolve", items=[(run, key, "done" if ok else "failed", payload)])
        return answer[0].decode()  # type: ignore[no-any-return]

    async def create(self, creations: Sequence[Creation]) -> None:
        """Creates runs whose events live elsewhere, 64 and 1 MiB a call; those that exist stay as they are."""
        items = [
            (made.run, made.lane, made.version, made.event, made.due, made.options, made.link, made.record)
            for made in creations
        ]
        await asyncio.gather(*[self._create.add(item) for item in items])
