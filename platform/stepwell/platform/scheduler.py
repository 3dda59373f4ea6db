"""The scheduler: ticks partitions as often as there is something to do, fires schedules, sees to bulk jobs, trims."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import structlog

from stepwell.platform.bulk.acting import Acting
from stepwell.platform.bulk.carrying import Carrying
from stepwell.platform.bulk.jobs import Jobs
from stepwell.platform.clock import Clock
from stepwell.platform.cron.crons import Crons
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.engine.ticks import Ticked, Ticks
from stepwell.platform.errors import StepwellError
from stepwell.platform.history import History
from stepwell.platform.moving import Moving
from stepwell.platform.outbox import PERIOD, Outbox
from stepwell.platform.registry import Registry
from stepwell.platform.retention import Retention
from stepwell.platform.settings import Settings
from stepwell.platform.steering.steering import Steering
from stepwell.platform.store.keys import crons_channel, errand_channel, tick_channel
from stepwell.platform.waits.errands import AllErrands

PAUSE = 0.5
"""Seconds between tries while Redis is out of reach."""


class Ticker:
    """Ticks one partition. Any number of processes may do so at once; what one has done another finds done."""

    __slots__ = ("_hint", "_ticks")

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks
        self._hint = asyncio.Event()

    def wake(self) -> None:
        """A timer was armed that is due before the next tick."""
        self._hint.set()

    async def tick(self) -> Ticked:
        """Does all that is due now; answers the last tick."""
        while (ticked := await self._ticks.tick()).wait == 0:
            pass
        return ticked

    async def run(self) -> None:
        """Ticks until cancelled."""
        while True:
            self._hint.clear()
            try:
                wait = (await self.tick()).wait / 1000
            except StepwellError as error:
                structlog.get_logger().warning("tick_failed", error=str(error))
                wait = PAUSE
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._hint.wait()


class Scheduler:
    """Ticks and retention of all partitions.

    Args:
        partitions: to tick.
        clock: theirs.
        settings: limits.
        errands: what runs ask of others.
        registry: of this process; without one it has its own.
    """

    def __init__(
        self,
        partitions: Sequence[Partition],
        clock: Clock,
        settings: Settings,
        errands: AllErrands,
        registry: Registry | None = None,
    ) -> None:
        expiry, patience = int(settings.session_expiry * 1000), int(settings.cancel_patience * 1000)
        runs = [Runs(partition, patience) for partition in partitions]
        known = registry or Registry(partitions)
        self._partitions = partitions
        self._ticks = [Ticks(partition, expiry, settings.crash_limit, patience) for partition in partitions]
        self._tickers = [Ticker(ticks) for ticks in self._ticks]
        # Apart from the ticks: ten thousand schedules of one second must not hold up the timers.
        self._crons = [Crons(partition, known, len(partitions), patience) for partition in partitions]
        # Apart from the ticks: a partition out of reach must not hold up the timers of the others.
        self._outboxes = [Outbox(partition, runs) for partition in partitions] if len(partitions) > 1 else []
        self._moving = Moving(partitions, known) if len(partitions) > 1 else None
        self._errands = errands
        self._retention = Retention(partitions, self._ticks, settings)
        steering = Steering(partitions, runs, known, settings, clock)
        self._bulk = Carrying(
            Jobs(partitions[0]), History(partitions, known), Acting(partitions, runs, steering), clock
        )

    async def tick(self) -> None:
        """Does all that is due now, in every partition."""
        for outbox in self._outboxes:
            await outbox.empty()
        if self._moving:
            await self._moving.settle()
        await self._errands.empty()
        for ticker in self._tickers:
            await ticker.tick()
        await self.fire()
        await self._errands.empty()

    async def fire(self) -> None:
        """Fires the schedules that are due now, in every partition."""
        for crons in self._crons:
            await crons.tick()

    async def trim(self) -> None:
        """Removes what is too old, in every partition."""
        await self._retention.trim()

    async def run(self) -> None:
        """Ticks, carries bulk jobs on, and trims until cancelled."""
        async with asyncio.TaskGroup() as group:
            for ticker in self._tickers:
                group.create_task(ticker.run())
            for crons in self._crons:
                group.create_task(crons.run())
            for outbox in self._outboxes:
                group.create_task(outbox.run())
            if self._moving:
                group.create_task(self._moving.run())
            group.create_task(self._see_to_errands())
            group.create_task(self._listen())
            group.create_task(self._retention.run())
            group.create_task(self._bulk.run())

    async def _listen(self) -> None:
        hints: dict[str, Callable[[], None]] = {}
        for partition, ticker, crons in zip(self._partitions, self._tickers, self._crons, strict=True):
            hints[tick_channel(partition.keys.tag)] = ticker.wake
            hints[crons_channel(partition.keys.tag)] = crons.wake
            hints[errand_channel(partition.keys.tag)] = partial(self._errands.hurry(partition.index), None)
        async with self._partitions[0].store.subscribe(*hints) as messages:
            async for message in messages:
                for hint in hints.values() if message is None else [hints[message[0]]]:
                    hint()

    async def _see_to_errands(self) -> None:
        """What is left by those who have died."""
        while True:
            for partition in self._partitions:
                self._errands.hurry(partition.index)(None)
            await asyncio.sleep(PERIOD)
