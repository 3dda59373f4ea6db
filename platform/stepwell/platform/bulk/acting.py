"""What a bulk job does to each of its runs. Done again, as after a crash, it does nothing twice."""

import re
from collections.abc import Sequence

from stepwell.platform.bulk.job import Job
from stepwell.platform.bulk.jobs import Outcome
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ids import partition_of
from stepwell.platform.reading.headers import whole_of
from stepwell.platform.steering.order import Order
from stepwell.platform.steering.refusals import NoSuchRun, NotSteered
from stepwell.platform.steering.steering import Steering
from stepwell.platform.waits.outcome import failed

MOST_CHARACTERS = 200
"""Of a reason."""
ID = re.compile(r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b")
GONE, ENDED = "it is not kept any more", "it had ended"


class Acting:
    """Steers single runs.

    Args:
        partitions: all of them.
        runs: those of each partition.
        steering: does runs again.
    """

    __slots__ = ("_partitions", "_runs", "_steering")

    def __init__(self, partitions: Sequence[Partition], runs: Sequence[Runs], steering: Steering) -> None:
        self._partitions = partitions
        self._runs = runs
        self._steering = steering

    async def act(self, job: Job, run: str) -> Outcome:
        """Does what a job is to do to one run. Raises `StepwellError` when Redis cannot be reached."""
        try:
            match job.order.action:
                case "cancel":
                    return await self._cancel(job, run)
                case "rerun":
                    return Outcome(run, made=await self._rerun(job, run))
                case "retry":
                    await self._steering.hurry(run)
                    return Outcome(run, made=run)
        except NoSuchRun:
            return Outcome(run, reason=GONE)
        except NotSteered as refusal:
            # One reason for all, whichever runs are in the way.
            return Outcome(run, reason=ID.sub("…", refusal.problem)[:MOST_CHARACTERS])

    async def _cancel(self, job: Job, run: str) -> Outcome:
        why = failed("Cancelled", f"by bulk job {job.id}")
        match await self._runs[partition_of(run)].cancel(run, why):
            case "CANCELLED" | "ASKED":
                return Outcome(run, made=run)
            case "GONE":
                return Outcome(run, reason=GONE)
            case "ENDED":
                # Perhaps by this job, whose owner died before it had noted that.
                whole = await whole_of(self._partitions[partition_of(run)], run)
                return Outcome(run, made=run) if whole and whole.error == why else Outcome(run, reason=ENDED)

    async def _rerun(self, job: Job, run: str) -> str:
        step = await self._steering.failed_step(run) if job.order.from_failed else None
        return await self._steering.rerun(run, Order(from_step=step, request=f"bulk {job.id}"))
