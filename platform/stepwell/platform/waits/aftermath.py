"""What follows from the end of a run: its parent goes on, its children are cancelled, events tell of it."""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from typing import Any

from stepwell.platform.codec import decode, encode
from stepwell.platform.engine.gathered import gathered_by, records_of
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ids import partition_of
from stepwell.platform.incoming import IncomingEvent
from stepwell.platform.ingest import Ingest
from stepwell.platform.reading.headers import whole_of
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.records import EventRecord, RunRecord, Status, StepRow
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import ENDS
from stepwell.platform.waits.despite import despite
from stepwell.platform.waits.outcome import as_told, event_json, failed, of_run

BATCH = 64
MOST = 1_024
"""Ends that are seen to at once: more than BATCH, for those that cannot be must not hold up the others."""
MOST_BYTES = 256 << 10
"""Of the further events of a batch, in the event that tells of its end."""
NAMES: Mapping[Status, tuple[str, ...]] = {
    Status.COMPLETED: ("inngest/function.finished",),
    Status.FAILED: ("inngest/function.finished", "inngest/function.failed"),
    Status.CANCELLED: ("inngest/function.finished", "inngest/function.cancelled"),
}
"""The events that tell of an end."""


class Aftermath:
    """The ends of runs of one partition. What is done twice changes nothing.

    Args:
        source: the partition.
        runs: those of each partition.
        registry: knows which events anybody listens to.
        ingest: takes the events in.
    """

    __slots__ = ("_ingest", "_registry", "_runs", "_source")

    def __init__(self, source: Partition, runs: Sequence[Runs], registry: Registry, ingest: Ingest) -> None:
        self._source = source
        self._runs = runs
        self._registry = registry
        self._ingest = ingest

    async def follow(self) -> int:
        """Sees to the next ends; answers how many.

        Raises `StepwellError` for the first that could not be seen to, after all others were: it stays to be.
        """
        count, failures = 0, list[Exception]()
        while count < MOST:
            key = self._source.keys.name("k_ends")
            rows: list[bytes] = await self._source.read("ZRANGE", key, len(failures), len(failures) + BATCH - 1)
            if rows:
                await self._keep_up()
            works = [despite(self._follow(row.decode()), row.decode()) for row in rows]
            done = await asyncio.gather(*works, return_exceptions=True)
            failures += [outcome for outcome in done if isinstance(outcome, Exception)]
            seen_to = [row for row, outcome in zip(rows, done, strict=True) if not isinstance(outcome, BaseException)]
            if seen_to:
                await self._source.script("settle", items=[("ends", row) for row in seen_to])
            count += len(rows)
            if len(rows) < BATCH:
                break
        if failures:
            raise failures[0]
        return count

    async def _keep_up(self) -> None:
        """Who listens to ends is known here as it was known where they were noted."""
        version: bytes | None = await self._source.read("HGET", self._source.keys.name("k_meta"), "registry")
        if int(version or 0) != self._registry.snapshot.version:
            await self._registry.load()

    async def _follow(self, id: str) -> None:
        run = await whole_of(self._source, id)
        if run:
            await asyncio.gather(*self._consequences(run))

    def _consequences(self, run: RunRecord) -> Iterator[Awaitable[object]]:
        what, _, parent = run.link.partition(" ")
        if what == "invoke":
            yield self._tell_parent(run, *parent.split(" ", 1))
        if run.status is Status.CANCELLED:
            yield self._cancel_children(run)
        names = [name for name in NAMES[run.status] if self._registry.snapshot.is_heard(name)]
        if names:
            yield self._tell_all(run, names)

    async def _tell_parent(self, run: RunRecord, parent: str, key: str) -> None:
        ok, payload = of_run(run)
        await self._runs[partition_of(parent)].resolve(parent, key, ok=ok, payload=payload)

    async def _cancel_children(self, run: RunRecord) -> None:
        why = failed("Cancelled", f"its parent, run {run.id} of {run.function}, was cancelled")
        for step in await steps_of(self._source, run):
            if step.kind == "invoke" and step.state == "pending" and not _detached(step):
                key = self._source.keys.name("k_run", run.id)
                child: bytes | None = await self._source.read("HGET", key, f"k:{step.key}")
                if child:
                    await self._runs[partition_of(child.decode())].cancel(child.decode(), why, early=True)

    async def _tell_all(self, run: RunRecord, names: Sequence[str]) -> None:
        record: bytes | None = await self._source.read("GET", self._source.keys.name("k_event", run.event))
        event = event_json(EventRecord.parse(run.event, record)) if record else {}
        if event.get("name") in ENDS:
            return  # or those who listen to all ends would listen to their own, for ever
        data = _told(run, event, await self._others(run))
        # With ids of their own, so that telling twice is telling once.
        await self._ingest.accept([IncomingEvent(name, data, f"{run.id}/{name}", run.ended) for name in names])

    async def _others(self, run: RunRecord) -> list[dict[str, Any]]:
        """The events of its batch behind the first, as many as an event can tell of."""
        told, size = list[dict[str, Any]](), 0
        async for record in records_of(self._source, await gathered_by(self._source, run.id)):
            event = event_json(record)
            size += len(encode(event))
            if size > MOST_BYTES:
                break
            told.append(event)
        return told


def _detached(step: StepRow) -> bool:
    return bool(decode(step.payload.partition(b"\n")[2])["detach"])


def _told(run: RunRecord, event: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What an event tells of an end (WIRE.md 5), and the function's name as it is written here."""
    ending: dict[str, Any] = {"result": decode(run.output) if run.output else None}
    if run.status is not Status.COMPLETED:
        error: dict[str, Any] = decode(run.error) if run.error else {"type": "Cancelled", "message": "it was cancelled"}
        ending = {"error": {"name": error["type"], "error": error["type"], "stack": "", **as_told(error)}}
    return {
        "function_id": run.function.replace("/", "-", 1),
        "function": run.function,
        "run_id": run.id,
        "event": event,
        "events": [event, *others],
        **ending,
    }
