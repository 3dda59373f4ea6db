"""The time of a test: it goes from timer to timer, times of schedules among them, and all runs settle at each."""

from stepwell.platform.clock import ManualClock
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.testing.crew import Crew
from stepwell.platform.testing.moment import datetime_of
from stepwell.platform.testing.settling import Settling, Unsettled

MOST_STOPS = 10_000


class Timeline:
    """Moves the time forward.

    Args:
        clock: that is moved.
        scheduler: fires what is due.
        crew: whose sessions live on.
        settling: of the runs.
    """

    def __init__(self, clock: ManualClock, scheduler: Scheduler, crew: Crew, settling: Settling) -> None:
        self._clock = clock
        self._scheduler = scheduler
        self._crew = crew
        self._settling = settling

    async def advance(self, ms: int) -> None:
        """Lets `ms` pass. Raises `Unsettled` when runs do not come to rest, or wake too often."""
        end, whose = self._clock.now() + ms, ""
        await self._settling.settle()
        for _ in range(MOST_STOPS):
            timer = await self._settling.next_timer()
            if timer is None or timer[0] > end:
                return await self._go_to(end)
            due, whose = timer
            await self._go_to(due)
        raise Unsettled(
            f"{MOST_STOPS:,} timers have brought the time no further than {datetime_of(self._clock.now())}, "
            f"the last one of {whose}: advance by less, or see why it wakes so often"
        )

    async def _go_to(self, when: int) -> None:
        self._clock.advance(max(0, when - self._clock.now()))
        await self._crew.beat()
        await self._scheduler.tick()
        await self._settling.settle()
