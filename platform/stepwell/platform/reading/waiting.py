"""Why a run does not go on: what it waits for, or what has to happen before it is leased."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from math import inf
from urllib.parse import unquote

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.pending import NOTHING, Pending, pending_of, until
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.records import RunRecord, Status, StepRow
from stepwell.platform.store.keys import wake_channel


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that a run waits for. Times in ms UTC; what does not apply to its kind is `None`.

    Args:
        kind: sleep, or another kind of step; retry (of `step`, or of the function when it is `None`); start (delayed by
            its event); worker (none serves the function); concurrency (every slot is taken); queue (of its lane).
        step: key of the step that waits.
        until: when it goes on.
        attempts: tries so far.
        error: that of the last try, JSON.
        key: the value that the limit counts by, "" when it counts all runs of the function.
        limit: slots there are.
        held: slots that are taken.
        ahead: runs of the same lane before it.
        what: events, or the run, that a step waits for.
    """

    kind: str
    step: str | None = None
    until: int | None = None
    attempts: int | None = None
    error: bytes | None = None
    key: str | None = None
    limit: int | None = None
    held: int | None = None
    ahead: int | None = None
    what: Pending = NOTHING


async def waits_of(partition: Partition, first: Partition, run: RunRecord) -> list[Wait]:
    """What a run waits for; nothing when it is running or has ended. Hints to workers are given through `first`."""
    match run.status:
        case Status.WAITING:
            return await _pending(partition, run)
        case Status.QUEUED if run.notbefore:
            return [Wait("start", until=run.notbefore)]
        case Status.QUEUED:
            return await _unleased(partition, first, run)
        case _:
            return []


async def _pending(partition: Partition, run: RunRecord) -> list[Wait]:
    waits = [_wait(row) for row in await steps_of(partition, run) if row.due] if run.pending else []
    if run.notbefore > 0:
        waits.append(Wait("retry", until=run.notbefore, attempts=run.attempt, error=run.error or None))
    return sorted(waits, key=lambda wait: wait.until or inf)


def _wait(row: StepRow) -> Wait:
    if row.state == "retrying":
        return Wait("retry", row.key, row.due, row.attempts, row.payload)
    return Wait(row.kind, row.key, until(row), what=pending_of(row))


async def _unleased(partition: Partition, first: Partition, run: RunRecord) -> list[Wait]:
    lane = run.ready_lane
    full = [wait async for wait in _full_scopes(partition, run, lane)]
    if full:
        return full
    served, ahead = await asyncio.gather(
        first.read("PUBSUB", "NUMSUB", wake_channel(lane.partition("|")[0])),
        partition.read("ZRANK", partition.keys.name("k_queue", lane), run.id),
    )
    return [Wait("queue", ahead=ahead)] if served[1] else [Wait("worker")]


async def _full_scopes(partition: Partition, run: RunRecord, lane: str) -> AsyncIterator[Wait]:
    """The constraints behind which the lane is parked."""
    keys = partition.keys
    names = await partition.read("HGET", keys.name("k_limits"), run.function)
    values = run.lane.split("|")[1:]
    for name, value in zip((names or b"").decode().split(), values, strict=False):
        scope = f"{name}|{value}"
        parked, limit, held = await asyncio.gather(
            partition.read("ZSCORE", keys.name("k_parked", scope), lane),
            partition.read("HGET", keys.name("k_limits"), f"#{name}"),
            partition.read("ZCARD", keys.name("k_slots", scope)),
        )
        if parked is not None:
            yield Wait("concurrency", key=unquote(value), limit=int(limit or 0), held=held)
