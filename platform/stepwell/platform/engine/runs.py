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

    `due` in ms UTC or 0; `options`, `link` and `notes` as in lua/include/creation.lua; `record`: the event, as its own
    partition holds it.
    """

    run: str
    lane: str
    version: str
    event: str
    due: int
    record: bytes
    options: str = "-"
    link: str = ""
    notes: str = "-"


class Runs:
    """The runs of one partition. `patience`: ms an owner has to let go of a run that is to be cancelled."""

    __slots__ = ("_create", "_partition", "_patience", "_resolve")

    def __init__(self, partition: Partition, patience: int) -> None:
        self._create = partition.group("create")
        self._resolve = partition.group("resolve")
        self._partition = partition
        self._patience = patience

    async def cancel(self, run: str, why: bytes = b"", *, early: bool = False) -> Cancelled:
        """Cancels a run: at once, or by asking its owner. `ENDED` and `GONE` change nothing.

        `why` is an error as JSON that is kept with the run. With `early`, a run that is yet to be created is cancelled
        when it is.
        """
        early = early or self._partition.store.partitions > 1
        answer = await self._partition.script("cancel", self._patience, int(early), items=[(run, why)])
        return answer[0].decode()  # type: ignore[no-any-return]

    async def resolve(
        self, run: str, key: str, *, ok: bool, payload: bytes, mark: str = "", position: int = 0
    ) -> Resolved:
        """Gives a waiting step its outcome before its time; the first who does so wins.

        `mark` and `position` are those of the event that a wait takes: the next wait of that mark looks behind it.
        """
        answer = await self._resolve.add((run, key, "done" if ok else "failed", mark, position, payload))
        return answer.decode()  # type: ignore[no-any-return]

    async def create(self, creations: Sequence[Creation]) -> None:
        """Creates runs whose events live elsewhere, 64 and 1 MiB a call; those that exist stay as they are."""
        items = [
            (made.run, made.lane, made.version, made.event, made.due, made.options, made.link, made.notes, made.record)
            for made in creations
        ]
        await asyncio.gather(*[self._create.add(item) for item in items])
