"""Invariants of runs: each that has not ended is in exactly one place from which it goes on.

Nothing is locked meanwhile, so what is found may be a run on its way from one place to the next: a finding counts when
the run's header was the same before and after, and when it is found again and again.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import RunRecord, Status

AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Ailment:
    """What is wrong: with which run, lane, scope or key; and what."""

    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Live:
    """A run that has not ended, as its header says. `scopes`: those it says it holds slots of."""

    record: RunRecord
    head: bytes
    scopes: tuple[str, ...]

    @property
    def lane(self) -> str:
        """Where it waits when it is ready."""
        return self.record.ready_lane

    @property
    def session(self) -> str:
        """Of its lease."""
        return self.record.token.partition(":")[0]


async def live_ids(partition: Partition, most: int | None) -> AsyncIterator[list[str]]:
    """The ids of the runs that have not ended, oldest first, at most `most` of them."""
    bound, seen = "-", 0
    while most is None or seen < most:
        count = AT_ONCE if most is None else min(AT_ONCE, most - seen)
        page: Sequence[bytes] = await partition.read(
            "ZRANGEBYLEX", partition.keys.name("k_live"), bound, "+", "LIMIT", 0, count
        )
        if not page:
            return
        seen += len(page)
        bound = f"({page[-1].decode()}"
        yield [id.decode() for id in page]


async def read_live(partition: Partition, run: str) -> Live | None:
    """A run's header; `None` when there is none."""
    head, info, scopes = await partition.read("HMGET", partition.keys.name("k_run", run), "h", "i", "sl")
    if head is None:
        return None
    return Live(RunRecord.parse(run, {b"h": head, b"i": info}), head, tuple((scopes or b"").decode().split()))


async def examine_run(partition: Partition, id: str) -> tuple[Live | None, list[Ailment]]:
    """A run and what is wrong with it."""
    run = await read_live(partition, id)
    found = [what async for what in _ailments(partition, id, run)]
    again = await read_live(partition, id) if found else run
    moved = again is not None and run is not None and again.head != run.head
    return run, [] if moved else [Ailment(f"run {id}", what) for what in found]


async def _ailments(partition: Partition, id: str, run: Live | None) -> AsyncIterator[str]:
    if run is None:
        yield "it is listed as live, but nothing is kept of it"
        return
    if run.record.status.ended:
        yield f"it is {run.record.status}, but listed as live"
        return
    async for what in _misplaced(partition, run):
        yield what
    async for what in _slots(partition, run):
        yield what


async def _misplaced(partition: Partition, run: Live) -> AsyncIterator[str]:
    """Whether it is where its status says, and nowhere else."""
    keys, record = partition.keys, run.record
    rank, held, timer, waits = await asyncio.gather(
        partition.read("ZSCORE", keys.name("k_queue", run.lane), record.id),
        partition.read("SISMEMBER", keys.name("k_held", run.session), record.id),
        partition.read("ZSCORE", keys.name("k_timers"), f"{record.id}|"),
        _armed_waits(partition, record),
    )
    match record.status:
        case Status.QUEUED if record.notbefore > 0:
            expected, timed = (False, False), timer is not None
        case Status.QUEUED:
            expected, timed = (True, False), True
            if rank is not None and not await _reachable(partition, run.lane):
                yield f"its lane {run.lane} can be leased from by nobody: it is neither active nor parked"
        case Status.RUNNING:
            expected, timed = (False, True), True
        case _:
            expected, timed = (False, False), waits > 0 or timer is not None
    queued, leased = rank is not None, bool(held)
    if (queued, leased) != expected:
        yield f"it is {record.status}, but {_place(queued=queued, leased=leased)}"
    if not timed:
        yield f"it is {record.status}, but no timer or event will make it go on"
    elif waits != record.pending:
        yield f"it has {record.pending} pending steps, but {waits} timers for them"


async def _armed_waits(partition: Partition, record: RunRecord) -> int:
    if record.pending == 0:
        return 0
    steps: Sequence[bytes] = await partition.read("HKEYS", partition.keys.name("k_steps", record.id))
    members = [f"{record.id}|{step.decode()}" for step in steps]
    armed = 0
    for first in range(0, len(members), AT_ONCE):
        scores = await partition.read("ZMSCORE", partition.keys.name("k_timers"), *members[first : first + AT_ONCE])
        armed += sum(score is not None for score in scores)
    return armed


async def _reachable(partition: Partition, lane: str) -> bool:
    if await partition.read("ZSCORE", partition.keys.name("k_lanes", lane.partition("|")[0]), lane) is not None:
        return True
    paused = f"pause|{lane.partition('|')[0].removesuffix('!')}"
    for scope in [*await scopes_of(partition, lane), paused]:
        if await partition.read("ZSCORE", partition.keys.name("k_parked", scope), lane) is not None:
            return True
    return False


async def scopes_of(partition: Partition, lane: str) -> list[str]:
    """The scopes that runs of a lane need a slot of."""
    function, *values = lane.split("|")
    names = await partition.read("HGET", partition.keys.name("k_limits"), function.removesuffix("!"))
    listed = (names or b"").decode().split()
    return [f"{name}|{value}" for name, value in zip(listed, [*values, *[""] * len(listed)], strict=False)]


def _place(*, queued: bool, leased: bool) -> str:
    match queued, leased:
        case True, True:
            return "both in its lane and held by a session"
        case True, False:
            return "in its lane"
        case False, True:
            return "held by a session"
        case _:
            return "neither in its lane nor held by a session"


async def _slots(partition: Partition, run: Live) -> AsyncIterator[str]:
    if run.scopes and run.record.status is not Status.RUNNING:
        yield f"it is {run.record.status}, but holds slots of {' '.join(run.scopes)}"
        return
    for scope in run.scopes:
        if await partition.read("ZSCORE", partition.keys.name("k_slots", scope), run.record.id) is None:
            yield f"it is running, but its slot of {scope} is not taken"
