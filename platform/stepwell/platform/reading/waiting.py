"""Why a run does not go on: what it waits for, or what has to happen before it is leased."""

import asyncio
from dataclasses import replace
from math import inf

from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.controls import is_gathering
from stepwell.platform.reading.away import away_of
from stepwell.platform.reading.lanes import what_lane_waits_for
from stepwell.platform.reading.pending import pending_of, until
from stepwell.platform.reading.steps import steps_of
from stepwell.platform.reading.wait import Wait
from stepwell.platform.records import RunRecord, Status, StepRow
from stepwell.platform.store.keys import wake_channel


async def waits_of(partition: Partition, first: Partition, run: RunRecord) -> list[Wait]:
    """What a run waits for; nothing when it is running or has ended. Hints to workers are given through `first`."""
    match run.status:
        case Status.WAITING if run.notbefore < 0 and not run.pending:
            return [await _aside(first, run)]
        case Status.WAITING:
            return await _pending(partition, run)
        case Status.QUEUED if run.notbefore:
            return [await _delayed(partition, run)]
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
    behind = await what_lane_waits_for(partition, run, lane)
    if behind:
        return behind
    served, ahead = await asyncio.gather(
        first.read("PUBSUB", "NUMSUB", wake_channel(lane.partition("|")[0])),
        partition.read("ZRANK", partition.keys.name("k_queue", lane), run.id),
    )
    if not served[1]:
        return [Wait("worker")]
    return await _away(first, run) or [Wait("queue", ahead=ahead)]


async def _away(first: Partition, run: RunRecord) -> list[Wait]:
    app = run.function.partition("/")[0]
    away = await away_of(first, app)
    return [Wait("away", until=away.until, since=away.since, why=away.why, app=app)] if away else []


async def _aside(first: Partition, run: RunRecord) -> Wait:
    """Of a run whose app could not be reached for it: others find out first whether that is there."""
    for known in await _away(first, run):
        return replace(known, until=-run.notbefore)
    app = run.function.partition("/")[0]
    return Wait("away", until=-run.notbefore, why=f"calls of this run did not get through to app {app}", app=app)


async def _delayed(partition: Partition, run: RunRecord) -> Wait:
    option = next((one for one in run.options.split(",") if is_gathering(one)), "start")
    kind = option.partition("=")[0]
    if kind != "batch":
        return Wait(kind, until=run.notbefore)
    others = await partition.read("LLEN", partition.keys.name("k_gathered", run.id))
    return Wait(kind, until=run.notbefore, events=others + 1)
