"""Carrying bulk jobs on: a page of runs is written down first, and then steered a few at a time.

Whoever dies in between leaves a job that says what has yet to be done: the next one repeats at most the few.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from stepwell.platform.bulk.acting import Acting
from stepwell.platform.bulk.job import END, Job
from stepwell.platform.bulk.jobs import Jobs, Note, Outcome
from stepwell.platform.clock import Clock
from stepwell.platform.errors import StepwellError, StoreFull, StoreUnavailable
from stepwell.platform.history import History
from stepwell.platform.ids import new_id

PERIOD = 0.5
"""Seconds between two looks for jobs that nobody carries on."""
PAUSE = 1.0
"""Seconds between tries while Redis is out of reach, or full."""
TROUBLE = 30.0
"""Seconds before a job is tried again that could not even be read."""
PAGE = 100
"""Runs that are written down at a time."""
AT_ONCE = 20
"""Runs that are steered at the same time, and noted together."""
SHARE = 0.5
"""Seconds' worth of runs, at most, between two notes: a job that is to stop does so at one."""
REST = 0.2
"""Seconds, at most, between two pages in which nothing was found; else as many as the page has taken."""

Pause = Callable[[float], Awaitable[None]]


class Carrying:
    """Carries on the jobs that nobody else does. Any number of processes may do so at once.

    Args:
        jobs: all of them.
        history: finds their runs.
        acting: steers those.
        clock: of this machine.
        pause: sleeps for some seconds.
    """

    __slots__ = ("_acting", "_busy", "_clock", "_history", "_jobs", "_pause")

    def __init__(
        self, jobs: Jobs, history: History, acting: Acting, clock: Clock, pause: Pause = asyncio.sleep
    ) -> None:
        self._jobs = jobs
        self._history = history
        self._acting = acting
        self._clock = clock
        self._pause = pause
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Looks for jobs, and carries them on, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    for id in await self._jobs.open():
                        if id not in self._busy:
                            self._busy.add(id)
                            group.create_task(self._keep(id))
                except StepwellError as error:
                    structlog.get_logger().warning("bulk_jobs_not_read", error=str(error))
                await asyncio.sleep(PERIOD)

    async def _keep(self, id: str) -> None:
        try:
            await self.carry_on(id)
        except Exception:
            # One job that cannot be read, as of a newer version, must not hold up all else that this process does.
            structlog.get_logger().exception("bulk_job_not_carried_on", job=id)
            await self._pause(TROUBLE)
        finally:
            self._busy.discard(id)

    async def carry_on(self, id: str) -> None:
        """Carries a job on until it has ended; returns at once when somebody else does."""
        token = new_id(self._clock.now())
        while True:
            try:
                if job := await self._jobs.take(id, token):
                    await self._carry(job, token)
                return
            except (StoreUnavailable, StoreFull) as error:
                # What of it was written is not known: it is read again, when that is possible.
                structlog.get_logger().warning("bulk_job_waits", job=id, error=str(error))
                await self._pause(PAUSE)

    async def _carry(self, job: Job, token: str) -> None:
        while True:
            begun = asyncio.get_running_loop().time()
            note = await self._tried(job)
            if await self._jobs.note(job, token, note) != "OK":
                return
            took = asyncio.get_running_loop().time() - begun
            rest = 0.0 if note.todo else min(took, REST)
            await self._pause(max(rest, len(note.outcomes) / job.order.rate - took))
            job = replace(job, cursor=note.cursor, todo=tuple(note.todo), seq=job.seq + 1)

    async def _tried(self, job: Job) -> Note:
        """What is done next; what nobody has thought of ends the job, and not the others."""
        try:
            return await (self._steer(job) if job.todo else self._find(job))
        except (StoreUnavailable, StoreFull):
            raise
        except Exception as error:
            structlog.get_logger().exception("bulk_job_failed", job=job.id)
            return Note(job.cursor, ending="failed", problem=f"{type(error).__name__}: {error}")

    async def _steer(self, job: Job) -> Note:
        """Steers the next few runs of those that are written down."""
        count = max(1, min(AT_ONCE, int(job.order.rate * SHARE)))
        outcomes = await self._act(job, job.todo[:count])
        todo = job.todo[count:]
        return Note(job.cursor, todo, outcomes, ending="done" if not todo and job.cursor == END else "")

    async def _act(self, job: Job, runs: Sequence[str]) -> list[Outcome]:
        acted = await asyncio.gather(*[self._acting.act(job, run) for run in runs], return_exceptions=True)
        return [
            one if isinstance(one, Outcome) else _unexpected(run, one) for run, one in zip(runs, acted, strict=True)
        ]

    async def _find(self, job: Job) -> Note:
        """The next page of runs, to be written down before anything is done to them."""
        page = await self._history.runs(job.order.filter, cursor=job.cursor or None, limit=PAGE)
        # Ids have the time of the machine that made them; this is the time by which the job was made.
        runs = [found.run.id for found in page.items if found.run.created < job.created]
        return Note(
            page.next or END,
            runs,
            searched=page.searched,
            total=page.total,
            undecided=page.undecided,
            matched=len(runs),
            ending="" if runs or page.next else "done",
        )


def _unexpected(run: str, error: BaseException) -> Outcome:
    """The refusal of a run that could not be steered for a reason of our own. Raises what concerns all of them."""
    if isinstance(error, StoreUnavailable | StoreFull) or not isinstance(error, Exception):
        raise error
    structlog.get_logger().error("bulk_run_failed", run_id=run, exc_info=error)
    return Outcome(run, reason=f"a fault of Stepwell ({type(error).__name__}); the server's log says more")
