"""What the pages of bulk jobs show."""

from dataclasses import dataclass

from stepwell.dashboard.bulk.conditions import Condition, conditions_of, in_brief
from stepwell.dashboard.bulk.query import VERBS
from stepwell.dashboard.wording.durations import duration, elapsed
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.bulk.job import Job, Refused

TONES = {
    "running": Tone("running", "Going on"),
    "stopping": Tone("cancelled", "Stopping"),
    "stopped": Tone("cancelled", "Stopped"),
    "done": Tone("completed", "Done"),
    "failed": Tone("failed", "Failed"),
}
MOST_RUNS = 50
"""Of a job, that are shown."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. `percent` of the runs it has to look at; `took` grows from `since` on, ms UTC, while it goes on.

    `brief`: the conditions in a line.
    """

    id: str
    verb: str
    from_failed: bool
    tone: Tone
    going: bool
    stopping: bool
    stopped: bool
    by: str
    created: Moment
    took: str
    since: int | None
    percent: int
    searched: int
    total: int
    matched: int
    done: int
    left: int
    refused: int
    refusals: tuple[Refused, ...]
    undecided: int
    problem: str
    rate: int
    conditions: tuple[Condition, ...]
    brief: str


@dataclass(frozen=True, slots=True)
class JobPageView:
    """The page of a job, with the first of the runs it has made or steered."""

    job: JobView
    runs: tuple[str, ...]
    more: int


@dataclass(frozen=True, slots=True)
class JobsView:
    """The list of jobs. `older` is an address."""

    jobs: tuple[JobView, ...]
    older: str | None


def job_view(job: Job, now: int, *, payloads: bool) -> JobView:
    """One job; its expression is hidden from who may not see payloads."""
    conditions = tuple(conditions_of(job.order.wanted, payloads=payloads))
    going = job.state in ("running", "stopping")
    return JobView(
        id=job.id,
        verb=VERBS[job.order.action],
        from_failed=job.order.from_failed,
        tone=TONES[job.state],
        going=going,
        stopping=job.state == "stopping",
        stopped=job.state == "stopped",
        by=job.by,
        created=past(job.created, now),
        took=elapsed(now - job.created) if going else duration(job.ended - job.created),
        since=job.created if going else None,
        percent=_percent(job),
        searched=job.searched,
        total=job.total,
        matched=job.matched,
        done=job.done,
        left=_left(job),
        refused=_refused(job),
        refusals=job.refused,
        undecided=job.undecided,
        problem=job.problem,
        rate=job.order.rate,
        conditions=conditions,
        brief=in_brief(conditions),
    )


def _refused(job: Job) -> int:
    return sum(one.count for one in job.refused)


def _left(job: Job) -> int:
    """How many were found and not steered yet, or never will be when the job was stopped."""
    return max(0, job.matched - job.done - _refused(job))


def _percent(job: Job) -> int:
    """How much of all that is to be looked at was looked at, without those that are yet to be steered."""
    if job.state == "done":
        return 100
    seen = max(0, job.searched - _left(job))
    return min(99, 100 * seen // job.total) if job.total else 0
