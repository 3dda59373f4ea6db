"""What the pages of bulk actions show."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

from stepwell.dashboard.address import with_query
from stepwell.dashboard.bulk.query import fields_of
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.counts import counted
from stepwell.dashboard.wording.durations import duration, elapsed
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.bulk.job import Job, Refused
from stepwell.platform.bulk.order import BulkOrder
from stepwell.platform.bulk.preview import Preview
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.codec import encode
from stepwell.platform.reading.errors import ErrorGroup
from stepwell.platform.reading.runs import RunSummary

VERBS = {"cancel": "Cancel", "rerun": "Rerun", "retry": "Retry now"}
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
class Condition:
    """One part of a filter: what, and which. `code` when it is an expression."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A run that would be steered."""

    id: str
    tone: Tone
    function: str
    created: Moment


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """Errors that are alike, and the list of the runs that have failed so."""

    type: str
    message: str
    count: int
    messages: int
    example: str
    url: str | None


@dataclass(frozen=True, slots=True)
class PreviewView:
    """The page that asks whether it is meant. `fields` are those of its form, `count` how many runs, in words."""

    verb: str
    order: BulkOrder
    conditions: tuple[Condition, ...]
    count: str
    none: bool
    all_runs: bool
    searched: int
    total: int
    exact: bool
    undecided: int
    errors: tuple[ErrorLine, ...]
    failed: int
    examples: tuple[Example, ...]
    fields: tuple[tuple[str, str], ...]
    request: str
    back: str
    from_failed_url: str | None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. `percent` of the runs it has to look at; `took` grows from `since` on, ms UTC, while it goes on."""

    id: str
    verb: str
    from_failed: bool
    tone: Tone
    going: bool
    stopping: bool
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


def preview_view(found: Preview, back: str, now: int, *, payloads: bool) -> PreviewView:
    """What would be done; errors say nothing of payloads to who may not see them."""
    order = found.order
    return PreviewView(
        verb=VERBS[order.action],
        order=order,
        conditions=tuple(_conditions(order.wanted)),
        count=f"{'' if found.exact else 'at least '}{counted(found.count, 'run')}",
        none=found.exact and not found.count,
        all_runs=order.wanted.is_empty,
        searched=found.searched,
        total=found.total,
        exact=found.exact,
        undecided=found.undecided,
        errors=tuple(_error(one, order.wanted, payloads=payloads) for one in found.errors),
        failed=found.failed,
        examples=tuple(_example(one, now) for one in found.examples),
        fields=fields_of(order),
        request=uuid4().hex,
        back=back,
        from_failed_url=_from_failed(order) if order.action == "rerun" and found.failed else None,
    )


def job_view(job: Job, now: int, *, payloads: bool) -> JobView:
    """One job; its expression is hidden from who may not see payloads."""
    refused = sum(one.count for one in job.refused)
    going = job.state in ("running", "stopping")
    return JobView(
        id=job.id,
        verb=VERBS[job.order.action],
        from_failed=job.order.from_failed,
        tone=TONES[job.state],
        going=going,
        stopping=job.state == "stopping",
        by=job.by,
        created=past(job.created, now),
        took=elapsed(now - job.created) if going else duration(job.ended - job.created),
        since=job.created if going else None,
        percent=_percent(job),
        searched=job.searched,
        total=job.total,
        matched=job.matched,
        done=job.done,
        left=max(0, job.matched - job.done - refused),
        refused=refused,
        refusals=job.refused,
        undecided=job.undecided,
        problem=job.problem,
        rate=job.order.rate,
        conditions=tuple(_conditions(job.order.wanted, payloads=payloads)),
    )


def _percent(job: Job) -> int:
    """How much of all that is to be looked at was looked at, without those that are yet to be steered."""
    if job.state == "done":
        return 100
    seen = max(0, job.searched - len(job.todo))
    return min(99, 100 * seen // job.total) if job.total else 0


def _conditions(wanted: Wanted, *, payloads: bool = True) -> Iterator[Condition]:
    names = {"status": "Status", "function": "Function", "app": "App", "event": "Event", "q": "Expression"}
    for name, label in names.items():
        value = getattr(wanted, name)
        if value is not None:
            yield Condition(label, str(value) if name != "q" or payloads else "hidden from your key", name == "q")
    if wanted.after is not None:
        yield Condition("Created from", past(wanted.after, wanted.after).absolute)
    if wanted.before is not None:
        yield Condition("Created before", past(wanted.before, wanted.before).absolute)


def _error(group: ErrorGroup, wanted: Wanted, *, payloads: bool) -> ErrorLine:
    """With the list of the runs like it, unless that takes an expression besides one that is there already."""
    url = None
    if payloads and wanted.q is None:
        given = {"status": "failed", "function": wanted.function, "app": wanted.app, "event": wanted.event}
        # Of a step that has failed it is the message that names its exception.
        named, told = encode(group.type).decode(), encode(f": {group.type}: ").decode()
        given["q"] = f"error.type == {named} || error.message.contains({told})"
        url = with_query("/runs", given)
    return ErrorLine(group.type, group.message, group.count, group.messages, group.example, url)


def _example(found: RunSummary, now: int) -> Example:
    run = found.run
    return Example(run.id, tone.of_run(run), run.function, past(found.created, now))


def _from_failed(order: BulkOrder) -> str:
    """The same from the steps that have failed, or if that is what is asked for, from the beginning."""
    fields = dict(fields_of(order))
    if fields.pop("from_failed", None) is None:
        fields["from_failed"] = "true"
    return with_query("/bulk/new", fields)
