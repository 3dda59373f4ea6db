"""What anybody with the right may do to a run from outside: cancel it, resolve what it waits for, do it again."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import StepRow

Cancelled = Literal["CANCELLED", "ASKED", "ENDED", "GONE"]
Resolved = Literal["OK", "DONE", "GONE"]
Again = Literal["OK", "DUP", "GONE", "FULL", "INCOMPLETE", "SKIPPED"]
Outcome = Literal["OK", "DUP", "SKIPPED", "JOINED"]
MAX_RERUNS, MAX_OF_EVENT = 1_000, 2_000
"""Times that a run may be done again, and runs of an event that another one can be added to."""
ROWS, BYTES = 64, 1 << 20
"""Steps, and about how much of them, that are copied in one call."""
EVENTS = 16
"""Events of a batch that are given to another run in one call."""
REMEMBERED = 86_400_000
"""Ms for which it is known which run was invoked at a request."""
LIFE = 600_000
"""Ms after which copied steps and events are gone, if their run was not created."""


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


class Created(NamedTuple):
    """What has become of a creation.

    `more`: why it was skipped, the run that its event has joined, or the one that was invoked by hand; else "".
    """

    outcome: Outcome
    more: str = ""

    @classmethod
    def of(cls, answer: bytes) -> "Created":
        """From the answer of the script."""
        outcome, _, more = answer.decode().partition(" ")
        return cls(cast("Outcome", outcome), more)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a run has from the one that it does again.

    `turn`: the last of `rows`. `fields`: of the other run's header, which belong to these; see lua/include/heads.lua.
    """

    rows: Sequence[StepRow] = ()
    turn: int = 0
    fields: Sequence[tuple[str, str]] = ()


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
        self, run: str, key: str, *, ok: bool, payload: bytes, mark: str = "", position: int = 0, by_hand: bool = False
    ) -> Resolved:
        """Gives a waiting step its outcome before its time; the first who does so wins.

        `mark` and `position` are those of the event that a wait takes: the next wait of that mark looks behind it.
        """
        answer = await self._resolve.add((run, key, "done" if ok else "failed", mark, position, int(by_hand), payload))
        return answer.decode()  # type: ignore[no-any-return]

    async def wake(self, run: str, key: str) -> Resolved:
        """Ends a wait as if its time were over. `DONE` when the step does not wait, `GONE` when there is none."""
        return await self._resolve_as(run, key, "due")

    async def retry_now(self, run: str, key: str = "") -> Resolved:
        """Tries a step that has failed again now, or the function body. `DONE` when it is not to be tried again."""
        return await self._resolve_as(run, key, "retry")

    async def _resolve_as(self, run: str, key: str, state: str) -> Resolved:
        answer = await self._resolve.add((run, key, state, "", 0, 1, b""))
        return answer.decode()  # type: ignore[no-any-return]

    async def ask_again(self, run: str, request: str, again: str) -> str | None:
        """Has `run` done again by `again` at a request, a word or ""; gives the first that was named at it.

        `None` when there is no such run, "FULL" when it was done again `MAX_RERUNS` times.
        """
        answer: bytes = await self._partition.script("ask_again", run, request, again, MAX_RERUNS)
        return None if answer == b"GONE" else answer.decode()

    async def rerun(self, creation: Creation, kept: Kept, gathered: Sequence[str] = ()) -> Again:
        """Creates a run that does another one again, at first its steps. Repeated, it creates nothing twice.

        An empty `creation.record` stands for an event that this partition has. `gathered`: ids of the further events of
        a batch, which it has too. What was put down for it goes when it is refused, or removes itself when the caller
        dies in between. `GONE`: the event is not kept. `FULL`: it has `MAX_OF_EVENT` runs. `INCOMPLETE`: it took too
        long.
        """
        answer = await self._copy(creation.run, kept, gathered) or await self._create_again(creation, kept)
        if gathered and answer not in ("OK", "DUP"):
            for events in _events(gathered):
                await self._partition.script("take_back", creation.run, items=events)
        return answer

    async def _copy(self, run: str, kept: Kept, gathered: Sequence[str]) -> Again | None:
        """Puts down its steps and the further events of its batch; answers why it cannot be created, if so."""
        for chunk in _chunks(kept.rows):
            if await self._partition.script("copy_steps", run, LIFE, items=chunk) == b"DUP":
                return "DUP"
        for number, events in enumerate(_events(gathered)):
            answer = await self._partition.script("copy_events", run, LIFE, number * EVENTS, items=events)
            if answer != b"OK":
                return answer.decode()  # type: ignore[no-any-return]
        return None

    async def _create_again(self, creation: Creation, kept: Kept) -> Again:
        answer = await self._partition.script(
            "rerun",
            creation.run,
            creation.lane,
            creation.version,
            creation.event,
            creation.options,
            creation.link,
            creation.notes,
            kept.turn,
            len(kept.rows),
            sum(len(row.payload) for row in kept.rows),
            MAX_OF_EVENT,
            creation.record,
            items=kept.fields,
        )
        return answer.decode()  # type: ignore[no-any-return]

    async def invoke(self, creation: Creation, request: str) -> Created:
        """Creates a run by hand, once for each `request`; `OK` comes with its id, be it that of the first to ask."""
        answer: bytes = await self._partition.script(
            "invoke",
            creation.run,
            creation.lane,
            creation.version,
            creation.event,
            creation.options,
            creation.notes,
            request,
            REMEMBERED,
            creation.record,
        )
        return Created.of(answer) if answer.startswith(b"SKIPPED ") else Created("OK", answer.decode())

    async def create(self, creations: Sequence[Creation]) -> list[Created]:
        """Creates runs whose events live elsewhere, 64 and 1 MiB a call; those that exist stay as they are."""
        items = [
            (made.run, made.lane, made.version, made.event, made.due, made.options, made.link, made.notes, made.record)
            for made in creations
        ]
        return [Created.of(answer) for answer in await asyncio.gather(*[self._create.add(item) for item in items])]


def _events(gathered: Sequence[str]) -> Iterator[list[tuple[str]]]:
    for first in range(0, len(gathered), EVENTS):
        yield [(event,) for event in gathered[first : first + EVENTS]]


def _chunks(rows: Sequence[StepRow]) -> Iterator[list[tuple[str, bytes]]]:
    chunk: list[tuple[str, bytes]] = []
    size = 0
    for row in rows:
        if chunk and (len(chunk) == ROWS or size + len(row.payload) > BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((row.key, row.text))
        size += len(row.payload)
    if chunk:
        yield chunk
