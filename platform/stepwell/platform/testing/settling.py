"""Waiting until nothing more can happen without time passing."""

import asyncio
from collections.abc import Sequence

from stepwell.platform.clock import ManualClock
from stepwell.platform.engine.partition import Partition
from stepwell.platform.errors import StepwellError
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.testing.crew import Crew
from stepwell.platform.testing.progress import Progress

MOST_EXECUTIONS = 20_000
MOST_NAMED = 5


class Unsettled(StepwellError):
    """The runs do not come to rest: a body hangs, or runs start, or wake, without end."""


class Settling:
    """Lets all runs go on until each has ended or waits for time.

    Args:
        partition: the only one of the platform.
        clock: its time.
        scheduler: ticks it.
        crew: the workers.
        progress: of the workers.
        functions: as `app/function`.
        patience: seconds of real time in which something has to go on.
    """

    def __init__(
        self,
        partition: Partition,
        clock: ManualClock,
        scheduler: Scheduler,
        crew: Crew,
        progress: Progress,
        functions: Sequence[str],
        patience: float,
    ) -> None:
        self._partition = partition
        self._clock = clock
        self._scheduler = scheduler
        self._crew = crew
        self._progress = progress
        self._patience = patience
        name = partition.keys.name
        self._lanes = [name("k_lanes", lane) for function in functions for lane in (function, f"{function}!")]

    async def settle(self) -> None:
        """Returns when nothing more can happen without time passing. Raises `Unsettled`."""
        most = self._progress.executions + MOST_EXECUTIONS
        while True:
            await self._rest(most)
            if await self._errands_left():
                await self._scheduler.tick()
                continue
            timer = await self.next_timer()
            if timer is not None and timer[0] <= self._clock.now():
                await self._scheduler.tick()
            elif not await self._followed():
                await self._crew.hear_out(self._patience)
                return

    async def _errands_left(self) -> bool:
        """Whether one run's doings have yet to reach another."""
        name = self._partition.keys.name
        return bool(await self._partition.read("EXISTS", name("k_matches"), name("k_arming"), name("k_ends")))

    async def next_timer(self) -> tuple[int, str] | None:
        """When the next timer or schedule is due, in ms UTC, and whose it is; `None` when there is none."""
        timer, cron = await asyncio.gather(self._first("k_timers"), self._first("k_crons"))
        found: list[tuple[int, str]] = [(timer[0], f"run {timer[1][:26]}")] if timer else []
        if cron:
            found.append((cron[0], f"schedule {cron[1]}"))
        return min(found, default=None)

    async def _first(self, name: str) -> tuple[int, str] | None:
        found: list[bytes] = await self._partition.read("ZRANGE", self._partition.keys.name(name), 0, 0, "WITHSCORES")
        return (int(float(found[1])), found[0].decode()) if found else None

    async def _followed(self) -> bool:
        """Whether a time of a schedule that waited for a run to end has started its own."""
        held = self._partition.keys.name("k_crons_held")
        if not await self._partition.read("EXISTS", held):
            return False
        await self._scheduler.fire()
        return not await self._idle()

    async def _rest(self, most: int) -> None:
        self._progress.look()
        while not await self._at_rest():
            if self._progress.executions > most:
                raise Unsettled(f"runs go on without end: more than {MOST_EXECUTIONS:,} executions. {self._doings()}")
            await self._go_on()
            self._progress.look()

    async def _at_rest(self) -> bool:
        self._crew.check()
        # What is recorded decides; a worker has a run for a moment longer, and one that was cancelled over its head.
        return not self._crew.busy and await self._idle() and not self._crew.busy

    async def _idle(self) -> bool:
        """Whether no run is leased, and none is ready to be."""
        partition = self._partition
        held = [partition.keys.name("k_held", session) for session in self._crew.sessions]
        # Sent in one go, so that no script comes in between.
        found: list[int] = await asyncio.gather(
            *[partition.read("SCARD", key) for key in held], *[partition.read("ZCARD", key) for key in self._lanes]
        )
        return not any(found)

    async def _go_on(self) -> None:
        try:
            await self._progress.wait(self._patience)
        except TimeoutError:
            raise Unsettled(
                f"nothing went on for {self._patience:g} s of real time. {self._doings()}. Replace what it waits for "
                "by something that ends in a test, or give TestPlatform more patience="
            ) from None

    def _doings(self) -> str:
        doings = list(self._crew.doings()) or ["No worker has a run"]
        more = [f"and {len(doings) - MOST_NAMED} more"] if len(doings) > MOST_NAMED else []
        text = "; ".join(doings[:MOST_NAMED] + more)
        return text[0].upper() + text[1:]
