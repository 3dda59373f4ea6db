"""What schedules have done, written down from each call of a script, and checked against what it may do then.

It knows nothing of how times are found and chosen: a time may be left out for a reason that can be seen, or not at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stepwell.functions.protocol import Manifest
from stepwell.platform.cron.crons import MOST_HELD, REFUSALS
from stepwell.platform.cron.deciding import MOST_COUNTED
from stepwell.platform.cron.schedule import GRACE, Schedule
from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import RunRecord

MINUTE = 60_000


@dataclass
class Life:
    """A schedule from when it is taken up until it is dropped. Times in ms UTC; `due`: when `next` is fired."""

    next: int
    due: int
    last: int = 0
    fired: int = 0
    run: str = "-"
    missed: int = 0
    skipped: int = 0
    paused: int = 0
    skip: int = 0
    held: list[int] = field(default_factory=list[int])

    @property
    def state(self) -> ScheduleState:
        """As it should be known by Redis."""
        held = tuple(self.held)
        numbers = self.missed, self.skipped, self.paused, self.skip
        return ScheduleState(self.next, self.last, self.fired, self.run, *numbers, held)


@dataclass(frozen=True)
class Turn:
    """What a call of `fire` wants for one schedule."""

    id: str
    expected: int
    when: int
    upcoming: int
    due: int
    missed: int
    overlap: str
    run: str


def every(schedule: Schedule) -> int:
    """Ms between its times: all are of the form `*/n * * * *`, and n divides an hour."""
    return int(schedule.cron.split()[0][2:]) * MINUTE


def times(schedule: Schedule, start: int, end: int) -> Iterator[int]:
    """Its times from `start` on and before `end`."""
    step = every(schedule)
    return iter(range(-(-start // step) * step, end, step))


def excused(schedule: Schedule, when: int, now: int) -> bool:
    """Whether a time need not be fired any more: it is too old, or the one behind it is due and the newest counts."""
    newer = schedule.catch_up == "last" and when + every(schedule) <= now
    return newer or now - when > schedule.patience


def wanted(schedule: Schedule, when: int, now: int) -> bool:
    """Whether a time may be fired: it is not too old, and no newer one is to be fired instead."""
    overtaken = schedule.catch_up == "last" and schedule.due(when + every(schedule)) <= now
    return not overtaken and now - schedule.due(when) <= schedule.patience


class Ledger:
    """What was done in all partitions.

    `runs`: all that schedules have started, with their functions; `turns`: which of them is that of a time.
    """

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self.partitions = partitions
        self.plans: dict[int, dict[str, Schedule]] = {0: {}}
        self.version = 0
        self.in_force = [0 for _ in partitions]
        self.furthest = [0 for _ in partitions]
        self.lives: dict[str, Life] = {}
        self.runs: dict[str, str] = {}
        self.turns: dict[tuple[str, int], str] = {}

    @property
    def plan(self) -> dict[str, Schedule]:
        """What is registered."""
        return self.plans[self.version]

    def ran(self, function: str, when: int, run: str) -> None:
        """A run belongs to a time: each time has one of its own."""
        assert self.turns.setdefault((function, when), run) == run, f"{when} has two runs"

    def started(self, function: str, run: str, answer: bytes) -> None:
        """A run was started, or was there before."""
        assert (run in self.runs) == (answer == b"DUP"), f"{run} of {function}: {answer!r}"
        self.runs[run] = function

    async def record(self, partition: int, run: str) -> RunRecord:
        """A run's header."""
        home = self.partitions[partition]
        flat = await home.read("HGETALL", home.keys.name("k_run", run))
        return RunRecord.parse(run, dict(zip(flat[::2], flat[1::2], strict=True)))

    async def under_way(self, partition: int, run: str) -> bool:
        """Whether a run has not ended."""
        return run != "-" and not (await self.record(partition, run)).status.ended


class Witness:
    """Writes down what the scripts do that one process calls. `looked`: when it last looked, by partition."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.looked: dict[int, int] = {}

    async def saw(self, at: int, name: str, fixed: Sequence[Any], items: Sequence[Any], reply: Any) -> None:
        """A script was called in the partition `at`."""
        ledger, now = self._ledger, int(fixed[0])
        match name:
            case "register":
                self._registered(int(reply[0]), Manifest.model_validate_json(fixed[2]))
            case "adopt":
                ledger.in_force[at] = reply
            case "due":
                self.looked[at] = now
                ledger.furthest[at] = max(ledger.furthest[at], now)
            case "plan" if reply == b"OK":
                self._planned(at, now, fixed[1], items, settled=fixed[3] == 1)
            case "fire" | "follow" | "mark" | "start":
                for item, answer in zip(items, reply, strict=True):
                    await getattr(self, f"_{name}")(at, now, fixed, item, answer)
                    await self._compare(at, item[0])
            case _:
                pass

    async def _compare(self, at: int, id: str) -> None:
        home, life = self._ledger.partitions[at], self._ledger.lives.get(id)
        text = await home.read("HGET", home.keys.name("k_schedules"), id)
        state = text and ScheduleState.parse(text)
        assert state == (life and life.state), f"{id} is known as {state}, and should be as {life}"

    def _registered(self, version: int, manifest: Manifest) -> None:
        triggers = [(f"{manifest.id}/{one.id}", trigger) for one in manifest.functions for trigger in one.triggers]
        schedules = [Schedule.of(name, trigger) for name, trigger in triggers if hasattr(trigger, "cron")]  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        self._ledger.plans[version] = {schedule.id: schedule for schedule in schedules}
        self._ledger.version = version

    def _planned(self, at: int, now: int, version: int, items: Sequence[Any], *, settled: bool) -> None:
        lives, plan = self._ledger.lives, self._ledger.plans[version]
        for what, id, upcoming, due, known in items:
            assert not known, "no function moves here"
            assert (id in plan) == (what != "drop"), f"{what} of {id}"
            if what == "add":
                lives.setdefault(id, Life(upcoming, due))
            elif what == "drop":
                lives.pop(id, None)
            elif id in lives and lives[id].next > upcoming:
                assert self._ledger.furthest[at] > self.looked[at] + GRACE, f"{id} is set back, but time was not"
                lives[id].next, lives[id].due = upcoming, due
        if settled:
            self._ledger.furthest[at] = now

    def _schedule(self, at: int, version: int, id: str) -> Schedule:
        assert version == self._ledger.in_force[at], "the registry has changed"
        assert id in self._ledger.lives, f"{id} is gone"
        return self._ledger.plans[version][id]

    # Times that come.

    async def _fire(self, at: int, now: int, fixed: Sequence[Any], item: Sequence[Any], answer: bytes) -> None:
        if answer in REFUSALS:
            return
        turn = Turn(*item[:8])
        schedule, life = self._schedule(at, fixed[1], turn.id), self._ledger.lives[turn.id]
        assert (life.paused, life.next) == (0, turn.expected), f"{turn} of {life}"
        assert self.looked[at] >= life.due, f"{turn} is early"
        self._choose(schedule, turn, self.looked[at], max(now, self.looked[at]))
        life.missed += turn.missed
        await self._answer(at, now, schedule, life, turn, answer)
        if life.skip < turn.upcoming:
            life.skip = 0
        life.next, life.due = turn.upcoming, turn.due
        assert life.next <= life.due <= life.next + min(schedule.jitter, every(schedule) - 1), f"{life} is fired late"

    def _choose(self, schedule: Schedule, turn: Turn, looked: int, now: int) -> None:
        """Of all times up to the next one, each is fired, or there is a reason why not."""
        assert turn.upcoming % every(schedule) == 0, f"{turn} goes on with none of its times"
        passed = [*times(schedule, turn.expected, turn.upcoming)]
        over = [when for when in passed if when != turn.when]
        assert not turn.when or turn.when in passed, f"{turn} is of another time"
        assert not turn.when or wanted(schedule, turn.when, looked), f"{turn} should not be fired at {looked}"
        lost = [when for when in over if not excused(schedule, when, now)]
        assert not lost, f"{turn} at {now} leaves {lost} out"
        assert turn.missed == min(len(over), MOST_COUNTED), f"{turn} has missed {len(over)}"

    async def _answer(self, at: int, now: int, schedule: Schedule, life: Life, turn: Turn, answer: bytes) -> None:
        before = await self._ledger.under_way(at, life.run)
        match answer:
            case b"OK" | b"DUP":
                assert turn.when not in (0, life.skip), f"{turn} of {life} is fired"
                await self._overlaps(at, life, turn, answer, before=before)
                self._run(schedule, life, turn.when, now, turn.run, answer)
            case b"HELD":
                assert turn.overlap == "queue", f"{turn} is held"
                assert before or life.held, f"{turn} waits for nothing"
                life.held.append(turn.when)
                assert len(life.held) <= MOST_HELD
            case b"SKIPPED":
                assert turn.when == life.skip or (turn.overlap == "skip" and before), f"{turn} of {life} is skipped"
                life.skipped += 1
            case _:
                assert answer == b"MISSED"
                assert turn.when == 0 or len(life.held) == MOST_HELD, f"{turn} is missed"
                life.missed += turn.when > 0

    async def _overlaps(self, at: int, life: Life, turn: Turn, answer: bytes, *, before: bool) -> None:
        match turn.overlap:
            case "skip":
                assert not before, f"{turn} is fired beside {life.run}"
            case "queue":
                assert not before, f"{turn} is fired beside {life.run}"
                assert not life.held, f"{turn} overtakes {life.held}"
            case "cancel_old" if before and answer == b"OK":
                assert (await self._ledger.record(at, life.run)).cancel, f"{turn} leaves {life.run} alone"
            case _:
                pass

    def _run(self, schedule: Schedule, life: Life, when: int, now: int, run: str, answer: bytes) -> None:
        self._ledger.started(schedule.function, run, answer)
        self._ledger.ran(schedule.function, when, run)
        life.last, life.fired, life.run = when, now, run

    async def _follow(self, at: int, now: int, fixed: Sequence[Any], item: Sequence[Any], answer: bytes) -> None:
        if answer in REFUSALS:
            return
        id, when, run = item[:3]
        schedule, life = self._schedule(at, fixed[1], id), self._ledger.lives[id]
        assert not life.paused, f"{when} follows, but {id} rests"
        assert not await self._ledger.under_way(at, life.run), f"{when} follows, but {life.run} has not ended"
        assert life.held.pop(0) == when
        self._run(schedule, life, when, now, run, answer)

    # What persons do.

    async def _mark(self, at: int, now: int, fixed: Sequence[Any], item: Sequence[Any], answer: bytes) -> None:
        id, what, value = item
        life = self._ledger.lives.get(id)
        assert (answer == b"GONE") == (life is None)
        if life is None or answer == b"LOST":
            assert life is None or (what == "skip" and life.next != value)
        elif what == "skip":
            assert life.next == value
            life.skip = value
        elif what == "pause":
            life.paused = life.paused or now
        elif life.paused:
            life.paused, life.due = 0, value

    async def _start(self, at: int, now: int, fixed: Sequence[Any], item: Sequence[Any], answer: bytes) -> None:
        if answer not in REFUSALS:
            schedule = self._schedule(at, fixed[1], item[0])
            self._ledger.started(schedule.function, item[1], answer)
