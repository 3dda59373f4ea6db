"""Reading schedules, and steering them: pause, resume, leave out the next time, run now, and make up for a range."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from stepwell.platform.cron.deciding import first_of
from stepwell.platform.cron.firing import Firing, firing, firing_of
from stepwell.platform.cron.planning import time_at
from stepwell.platform.cron.schedule import Schedule
from stepwell.platform.cron.state import ScheduleState
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError, StoreUnavailable
from stepwell.platform.flow.refusal import Refusal
from stepwell.platform.ids import new_id
from stepwell.platform.registry import Registry
from stepwell.platform.snapshot import RegisteredFunction, Snapshot

BATCH = 64
TRIES = 5
CREATED = frozenset({"OK", "DUP"})
HAD = frozenset({"DUP", "SKIPPED"})
MOST_TIMES = 1_000
"""Times of one backfill."""
AT_ONCE = 500
NEW = ScheduleState(0, 0, 0, "-", 0, 0, 0, 0, ())
"""Of a schedule whose registration is under way."""

Make = Callable[[RegisteredFunction, Schedule, int], Firing]
"""Makes the run of what is registered by now, at home in a partition."""


class TooManyTimes(StepwellError):
    """A range holds more times than one backfill starts."""

    def __init__(self, schedule: str) -> None:
        super().__init__(schedule)
        self.schedule = schedule

    def __str__(self) -> str:
        return f"schedule {self.schedule} has more than {MOST_TIMES:,} times in this range"


class HeldBack(StepwellError):
    """A control of the function keeps a run from being started now."""

    def __init__(self, schedule: str, refusal: Refusal) -> None:
        super().__init__(schedule, refusal)
        self.schedule = schedule
        self.refusal = refusal

    def __str__(self) -> str:
        return f"schedule {self.schedule} has started no run: {self.refusal.text}"


class Started(NamedTuple):
    """A run that was to be started, and what the script has answered. `why`: of one that was skipped, else ""."""

    run: str
    answer: str
    why: str


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule and what is known of it."""

    schedule: Schedule
    state: ScheduleState

    def upcoming(self, count: int) -> tuple[int, ...]:
        """The next times, in ms UTC; none while it rests."""
        if self.state.paused or not self.state.next:
            return ()
        wanted = islice(self.schedule.times(self.state.next, 1 << 48), count + 1)
        return tuple(time for time in wanted if time != self.state.skip)[:count]


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Runs that a backfill has created, and how many of the times had theirs already, or may have none by their key.

    Times whose turn had not come when their schedule went are neither. Runs whose creation had to be asked for again,
    the reply having been lost, are taken for those of before.
    """

    runs: tuple[str, ...]
    existing: int


class Schedules:
    """The schedules of an installation. Methods answer `None` when there is no such schedule."""

    __slots__ = ("_partitions", "_registry")

    def __init__(self, partitions: Sequence[Partition], registry: Registry) -> None:
        self._partitions = partitions
        self._registry = registry

    async def all(self, function: str | None = None) -> list[ScheduleView]:
        """All, or those of one function (as `app/function`), by id."""
        snapshot = await self._registry.load()
        known = snapshot.schedules
        return await self._views(
            snapshot, [known[id] for id in sorted(known) if function in (None, known[id].function)]
        )

    async def some(self, ids: Iterable[str]) -> list[ScheduleView]:
        """Those of these ids that there are, by id."""
        snapshot = await self._registry.load()
        return await self._views(
            snapshot, [snapshot.schedules[id] for id in sorted(set(ids) & set(snapshot.schedules))]
        )

    async def _views(self, snapshot: Snapshot, wanted: Sequence[Schedule]) -> list[ScheduleView]:
        pages = [wanted[at : at + AT_ONCE] for at in range(0, len(wanted), AT_ONCE)]
        view = partial(self._view, snapshot)
        return [found for page in pages for found in await asyncio.gather(*map(view, page))]

    async def soonest(self, count: int) -> list[ScheduleView]:
        """The `count` that fire next, in their order; not those that rest."""
        snapshot = await self._registry.load()
        keys = [(partition, partition.keys.name("k_crons")) for partition in self._partitions]
        lists = await asyncio.gather(
            *[partition.read("ZRANGE", key, 0, count - 1, "WITHSCORES") for partition, key in keys]
        )
        due = sorted((float(at), id.decode()) for flat in lists for id, at in zip(flat[::2], flat[1::2], strict=True))
        known = [snapshot.schedules[id] for _, id in due[:count] if id in snapshot.schedules]
        return list(await asyncio.gather(*map(partial(self._view, snapshot), known)))

    async def get(self, id: str) -> ScheduleView | None:
        """One by its id."""
        snapshot = await self._registry.load()
        schedule = snapshot.schedules.get(id)
        return await self._view(snapshot, schedule) if schedule else None

    async def pause(self, id: str) -> ScheduleView | None:
        """Lets it rest until it is resumed; may be repeated."""
        return await self._mark(id, "pause")

    async def resume(self, id: str) -> ScheduleView | None:
        """Ends its rest; what it has missed meanwhile is made up for as after any standstill. May be repeated."""
        return await self._mark(id, "resume")

    async def skip(self, id: str) -> ScheduleView | None:
        """Leaves out its next time; may be repeated until that has come."""
        return await self._mark(id, "skip")

    async def run(self, id: str) -> str | None:
        """Starts a run now, beside the plan, whatever its overlap says; answers its id.

        Raises:
            HeldBack: a control of the function does not let it.
        """
        snapshot = await self._registry.load()
        if (schedule := snapshot.schedules.get(id)) is None:
            return None
        now = await time_at(self._home(snapshot, schedule))
        done = await self._start(schedule, [partial(self._firing_now, now)])
        if done and done[0].why:
            raise HeldBack(id, Refusal.parse(done[0].why))
        # Its event is new, so that a run which is there already is this one: the reply to its creation was lost.
        return next((one.run for one in done if one.answer in CREATED), None)

    async def backfill(self, id: str, start: int, end: int | None) -> Backfilled | None:
        """Starts the runs of all times from `start` on and before `end`, or now, that have none; in ms UTC.

        Raises:
            TooManyTimes: they are more than 1,000.
        """
        snapshot = await self._registry.load()
        if (schedule := snapshot.schedules.get(id)) is None:
            return None
        now = await time_at(self._home(snapshot, schedule))
        times = await first_of(schedule.times(start, min(end or now, now)), MOST_TIMES + 1)
        if len(times) > MOST_TIMES:
            raise TooManyTimes(id)
        makes = [partial(self._firing_then, time) for time in times]
        batches = [makes[at : at + BATCH] for at in range(0, len(makes), BATCH)]
        done = [one for batch in batches for one in await self._start(schedule, batch)]
        runs = [one.run for one in done if one.answer == "OK"]
        return Backfilled(tuple(runs), sum(one.answer in HAD for one in done))

    def _firing_now(self, now: int, function: RegisteredFunction, schedule: Schedule, home: int) -> Firing:
        return firing_of(function, schedule, when=now, event=new_id(now, home), partitions=len(self._partitions))

    def _firing_then(self, time: int, function: RegisteredFunction, schedule: Schedule, home: int) -> Firing:
        return firing(function, schedule, when=time, partition=home, partitions=len(self._partitions))

    async def _start(self, schedule: Schedule, makes: Sequence[Make]) -> list[Started]:
        """What has become of each; nothing if it is gone. Raises `StoreUnavailable` if the registry keeps changing."""
        for tried in range(TRIES):
            snapshot = self._registry.snapshot
            if (known := snapshot.schedules.get(schedule.id)) is None:
                return []
            home = self._home(snapshot, known)
            made = [make(snapshot.functions[known.function], known, home.index) for make in makes]
            answers: list[bytes] = await home.script(
                "start", snapshot.version, items=[(known.id, *one) for one in made]
            )
            # One that is registered and gone is about to be planned.
            if b"RELOAD" not in answers and (tried or b"GONE" not in answers):
                return [_started(one.run, answer) for one, answer in zip(made, answers, strict=True)]
            await self._registry.refresh()
        raise StoreUnavailable(self._partitions[0].store.where, "the registry of functions keeps changing")

    async def _mark(self, id: str, what: str) -> ScheduleView | None:
        for _ in range(TRIES):
            snapshot = await self._registry.load()
            if (schedule := snapshot.schedules.get(id)) is None:
                return None
            view = await self._view(snapshot, schedule)
            value = view.state.next if what == "skip" else schedule.due(view.state.next)
            [answer] = await self._home(snapshot, schedule).script("mark", items=[(id, what, value)])
            if answer == b"GONE":
                return None
            if answer != b"LOST":
                return ScheduleView(schedule, ScheduleState.parse(answer))
        raise StoreUnavailable(self._partitions[0].store.where, "the schedule keeps changing")

    async def _view(self, snapshot: Snapshot, schedule: Schedule) -> ScheduleView:
        home = self._home(snapshot, schedule)
        text: bytes | None = await home.read("HGET", home.keys.name("k_schedules"), schedule.id)
        return ScheduleView(schedule, NEW if text is None else ScheduleState.parse(text))

    def _home(self, snapshot: Snapshot, schedule: Schedule) -> Partition:
        return self._partitions[snapshot.home_of(schedule, len(self._partitions))]


def _started(run: str, answer: bytes) -> Started:
    outcome, _, why = answer.decode().partition(" ")
    return Started(run, outcome, why)
