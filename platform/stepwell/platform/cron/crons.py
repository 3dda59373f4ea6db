"""Fires the schedules of one partition. Any number of processes may do so at once: a time is fired by one."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from stepwell.platform.cron.deciding import decide
from stepwell.platform.cron.firing import NOTHING, Firing, firing
from stepwell.platform.cron.planning import set_back
from stepwell.platform.cron.schedule import GRACE, Schedule
from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.engine.partition import Argument, Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import Snapshot

BATCH = 64
SLICE = 16
"""Schedules whose next times are found before anything else gets its turn: some 3 ms."""
TURN = 0.005
"""Seconds after which those that are to fire let others have their turn: each may take some ms after a standstill."""
MOST_PREPARED = 16_384
IDLE = 1_000
"""The longest wait between two looks, in ms: hints may be lost."""
TRIES = 3
"""Looks in a row, when the registry changes or another process is faster, before a pause."""
REFUSALS = frozenset({b"LOST", b"GONE", b"PAUSED", b"RELOAD"})
MOST_HELD = 64
"""Times of a schedule that wait for the run before to end; those beyond are missed."""
PAUSE = 0.5
"""Seconds between tries while Redis is out of reach."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a look has found: schedules that are due, and those whose held times may go on, by id."""

    now: int
    registry: int
    planned: int
    back: bool
    wait: int
    due: Mapping[str, ScheduleState]
    free: Mapping[str, ScheduleState]


class Crons:
    """The schedules of one partition.

    Args:
        partition: theirs.
        registry: says which there are.
        partitions: how many there are.
        patience: ms the owner of a run has to let go of it when it is cancelled.
    """

    __slots__ = ("_hint", "_partition", "_partitions", "_patience", "_prepared", "_registry", "_unprepared")

    def __init__(self, partition: Partition, registry: Registry, partitions: int, patience: int) -> None:
        self._partition = partition
        self._registry = registry
        self._partitions = partitions
        self._patience = patience
        self._hint = asyncio.Event()
        self._prepared = 0
        self._unprepared: deque[Schedule] = deque(maxlen=MOST_PREPARED)

    def wake(self) -> None:
        """A schedule may be due before the next look."""
        self._hint.set()

    async def run(self) -> None:
        """Fires until cancelled."""
        while True:
            self._hint.clear()
            try:
                wait = await self.tick() / 1000
            except StepwellError as error:
                structlog.get_logger().warning("schedules_not_fired", error=str(error))
                wait = PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._hint.wait()

    async def tick(self) -> int:
        """Fires all that is due now; answers the ms until there is more."""
        vain = 0
        while vain < TRIES:
            found = await self._look()
            known = await self._is_known(found)
            if known and not found.due and not found.free:
                return await self._prepare(found)
            answers = [*await self._fire(found), *await self._follow(found)] if known else []
            vain = 0 if any(answer not in REFUSALS for answer in answers) else vain + 1
        return IDLE

    async def _prepare(self, found: Due) -> int:
        """Uses the wait to find the times after those; answers what is left of it."""
        snapshot, loop = self._registry.snapshot, asyncio.get_running_loop()
        if snapshot.version != self._prepared:
            self._prepared = snapshot.version
            self._unprepared.extend(snapshot.schedules_at(self._partition.index, self._partitions).values())
        begun, left = loop.time(), found.wait
        while self._unprepared and left > 0:
            for _ in range(min(SLICE, len(self._unprepared))):
                self._unprepared.popleft().prepare(found.now)
            await asyncio.sleep(0)
            left = found.wait - int((loop.time() - begun) * 1000)
        return max(left, 0)

    async def _look(self) -> Due:
        answer = await self._partition.script("due", BATCH, IDLE, GRACE)
        now, registry, planned, back, wait, due, free = answer
        return Due(now, registry, planned, bool(back), wait, _states(due), _states(free))

    async def _is_known(self, found: Due) -> bool:
        """Whether all that was found is in order; if not, it is put in order for the next look."""
        if found.registry != self._registry.snapshot.version:
            await self._registry.load()
        if found.planned != found.registry or found.registry != self._registry.snapshot.version:
            # Whoever registered this may have died before every partition knew.
            await self._registry.refresh()
            return False
        if found.back:
            here = self._registry.snapshot.schedules_at(self._partition.index, self._partitions)
            await set_back(self._partition, found.registry, here.values())
            return False
        return True

    async def _fire(self, found: Due) -> Sequence[bytes]:
        items = await self._firings(found)
        if not items:
            return ()
        answer: list[bytes] = await self._partition.script(
            "fire", found.registry, self._patience, MOST_HELD, items=items
        )
        return answer

    async def _firings(self, found: Due) -> list[tuple[Argument, ...]]:
        snapshot, loop = self._registry.snapshot, asyncio.get_running_loop()
        items, over = list[tuple[Argument, ...]](), loop.time() + TURN
        for id, state in found.due.items():
            if loop.time() > over:
                await asyncio.sleep(0)
                over = loop.time() + TURN
            if item := await self._firing(snapshot, id, state, found.now):
                items.append(item)
        return items

    async def _firing(self, snapshot: Snapshot, id: str, state: ScheduleState, now: int) -> tuple[Argument, ...] | None:
        schedule = snapshot.schedules.get(id)
        if schedule is None:
            return None
        made = await decide(schedule, state.next, now)
        self._unprepared.append(schedule)
        fired = self._of(snapshot, schedule, made.when) if made.when else NOTHING
        return id, made.expected, made.when, made.next, made.due, made.missed, schedule.overlap, *fired

    async def _follow(self, found: Due) -> Sequence[bytes]:
        snapshot = self._registry.snapshot
        items = [item for id, state in found.free.items() if (item := self._following(snapshot, id, state))]
        if not items or snapshot.version != found.registry:
            return ()
        answer: list[bytes] = await self._partition.script("follow", found.registry, items=items)
        return answer

    def _following(self, snapshot: Snapshot, id: str, state: ScheduleState) -> tuple[Argument, ...] | None:
        schedule = snapshot.schedules.get(id)
        if schedule is None or not state.held:
            return None
        return id, state.held[0], *self._of(snapshot, schedule, state.held[0])

    def _of(self, snapshot: Snapshot, schedule: Schedule, when: int) -> Firing:
        function = snapshot.functions[schedule.function]
        return firing(function, schedule, when, self._partition.index, self._partitions)


def _states(flat: Sequence[bytes]) -> dict[str, ScheduleState]:
    return {flat[at].decode(): ScheduleState.parse(flat[at + 1]) for at in range(0, len(flat), 2)}
