"""`stepwell bulk`: cancelling many runs, doing them again, or trying them again now."""

import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter
from ulid import ULID

from stepwell.client import BulkJob, BulkPreview
from stepwell.client.reading import read
from stepwell.platform.cli.api import Url, get, post
from stepwell.platform.cli.bulk_job import PATH, follow, job_path, say_job, say_preview
from stepwell.platform.cli.console import AsJson, Misuse, complain, listing, say, say_json
from stepwell.platform.cli.times import moment
from stepwell.platform.cli.wanted import (
    OfApp,
    OfEvent,
    OfEventId,
    OfFunction,
    OfId,
    OfStatus,
    Since,
    Until,
    Where,
    wanted,
)

JOB = TypeAdapter(BulkJob)
JOBS = TypeAdapter(tuple[BulkJob, ...])
PREVIEW = TypeAdapter(BulkPreview)
QUESTIONS = {"cancel": "Cancel them?", "rerun": "Do them again?", "retry": "Try them again now?"}
ABOUT = {
    "cancel": "Cancel runs that have not ended.",
    "rerun": "Do runs that have ended again, such as those that have failed.",
    "retry": "Try what is about to be tried again now: functions, and steps, that wait for that.",
}

Id = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job.")]


def bulk() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(help="Cancel many runs, or do them again; a job of the server does it.", rich_markup_mode=None)
    for action, about in ABOUT.items():
        group.command(action, help=about)(_steering(action))
    group.command("list")(list_jobs)
    for command in (show, stop, resume):
        group.command()(command)
    return group


def _steering(action: str) -> Callable[..., int]:
    def steer(
        status: OfStatus = None,
        function: OfFunction = None,
        app: OfApp = None,
        event: OfEvent = None,
        where: Where = None,
        id: OfId = None,
        event_id: OfEventId = None,
        after: Since = None,
        before: Until = None,
        all_runs: Annotated[bool, typer.Option("--all", help="Without a filter, all runs are meant.")] = False,
        from_failed: Annotated[
            bool, typer.Option("--from-failed", help="Of a rerun: from the step by which each has failed.")
        ] = False,
        rate: Annotated[int | None, typer.Option(help="Runs per second, at most; default: 100.")] = None,
        yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
        url: Url = None,
        json: AsJson = False,
    ) -> int:
        filters = wanted(status, function, app, event, where, id, event_id, after, before)
        asked = {**filters, "action": action, "from_failed": from_failed or None}
        return _steer(url, asked, {"all": all_runs, "rate": rate}, yes=yes, json=json)

    return steer


def _steer(url: str | None, asked: Mapping[str, Any], more: Mapping[str, Any], *, yes: bool, json: bool) -> int:
    """Shows what would be done, asks, has it done, and follows that; answers the exit code."""
    if not yes and (json or not sys.stdin.isatty()):
        raise Misuse("this asks before it does anything, and nobody can answer: say --yes if you mean it")
    if set(asked) <= {"action", "before", "from_failed"} and not more["all"]:
        raise Misuse(f"without a filter, this would {asked['action']} all runs: give one, or say so with --all")
    query = {name: "true" if value is True else value for name, value in asked.items()}
    seen = read(PREVIEW, get(url, f"{PATH}/preview", query), PATH)
    if not json:
        say_preview(seen)
    if seen.count == 0 and seen.exact:
        # Nothing to ask about; what reads JSON is told of a job that has nothing to do.
        if not json:
            return 0
    elif not yes and not typer.confirm(QUESTIONS[seen.action]):
        say("Nothing was done.")
        return 1
    return _begin(url, {**asked, **more, "before": seen.filter["before"]}, json=json)


def _begin(url: str | None, asked: Mapping[str, Any], *, json: bool) -> int:
    # With an id of our own, a try whose answer was lost makes no second job.
    body = {name: value for name, value in asked.items() if value is not None} | {"request": str(ULID())}
    job = read(JOB, post(url, PATH, body), PATH)
    if not json:
        say(f"job {job.id} does it, also when you leave; `stepwell bulk stop {job.id}` ends it")
    try:
        return follow(url, job.id, json=json)
    except KeyboardInterrupt:
        complain(f"the job goes on: `stepwell bulk show {job.id}` says how far, `stepwell bulk stop {job.id}` ends it")
        return 0


def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most jobs to list.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next` of the list before.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    answer = get(url, PATH, {"limit": limit, "cursor": cursor})
    if json:
        say_json(answer)
        return
    rows = [_row(job) for job in read(JOBS, answer, PATH)]
    none = "no jobs" if cursor is None else "no further jobs"
    listing(("job", "action", "state", "created", "done", "refused", "by"), rows, none, answer.get("next"))


def show(
    id: Id,
    runs: Annotated[bool, typer.Option("--runs", help="Print the runs it has created, or else steered.")] = False,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Show a job, and how far it has come."""
    answer = get(url, job_path(id))
    made: list[str] = get(url, f"{job_path(id)}/runs")["data"] if runs else []
    if json:
        say_json(answer["data"] | ({"runs": made} if runs else {}))
        return
    job = read(JOB, answer, id)
    say_job(job)
    for run in made:
        say(run)
    if len(made) < job.done and runs:
        complain(f"these are the first {len(made):,} of {job.done:,}")


def stop(id: Id, url: Url = None, json: AsJson = False) -> None:
    """Stop a job; what it has done stays done."""
    answer = post(url, f"{job_path(id)}/stop")
    if json:
        say_json(answer["data"])
    else:
        job = read(JOB, answer, id)
        say(f"{job.id} is {job.state}; {job.done:,} done")


def resume(id: Id, url: Url = None, json: AsJson = False) -> None:
    """Have a job that was stopped go on where it was."""
    answer = post(url, f"{job_path(id)}/resume")
    if json:
        say_json(answer["data"])
    else:
        job = read(JOB, answer, id)
        say(f"{job.id} is {job.state}; {job.done:,} done")


def _row(job: BulkJob) -> tuple[str, ...]:
    return job.id, job.action, job.state, moment(job.created_at), f"{job.done:,}", f"{job.refused:,}", job.by or "-"
