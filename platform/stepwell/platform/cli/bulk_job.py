"""A bulk job on the screen: what it would do, how far it has come, and following it to its end."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from stepwell.client import BulkJob, BulkPreview
from stepwell.client.connection import Connection
from stepwell.client.reading import read
from stepwell.platform.cli.api import ask
from stepwell.platform.cli.console import facts, say, say_json
from stepwell.platform.cli.times import moment
from stepwell.platform.cli.values import shortened

PATH = "/api/v1/bulk"
JOB = TypeAdapter(BulkJob)
LOOKS = (0.2, 0.5, 1.0, 1.0, 1.0, 2.0, 2.0, 5.0)
"""Seconds between two looks at a job; the last for good."""
DOING = {"cancel": "cancel", "rerun": "do again", "retry": "try again now"}


def job_path(id: str) -> str:
    """The path of a job."""
    return f"{PATH}/{quote(id, safe='')}"


def say_preview(seen: BulkPreview) -> None:
    """Prints what a job would do."""
    how = " from the step that failed" if seen.from_failed else ""
    facts([(DOING[seen.action], f"{_count(seen)}{how}"), *_errors(seen)])


def _count(seen: BulkPreview) -> str:
    found = "1 run" if seen.count == 1 else f"{seen.count:,} runs"
    undecided = f"; of {seen.undecided:,} it could not be said" if seen.undecided else ""
    if seen.exact:
        return found + undecided
    return f"at least {found}: {seen.searched:,} of {seen.total:,} were searched{undecided}"


def _errors(seen: BulkPreview) -> Iterator[tuple[str, str]]:
    for group in seen.errors:
        others = f" (and {group.messages - 1:,} more like it)" if group.messages > 1 else ""
        yield "error", f"{group.count:,} × {shortened(f'{group.type}: {group.message}')}{others}"
    rest = seen.failed - sum(group.count for group in seen.errors)
    if rest:
        yield "error", f"{rest:,} × others"
    if seen.searched < seen.total:
        yield "", f"of the newest {seen.searched:,}; the others were not looked at"


def say_job(job: BulkJob) -> None:
    """Prints a job."""
    pairs = [
        ("job", job.id),
        ("action", f"{job.action} from the step that failed" if job.from_failed else job.action),
        ("runs", ", ".join(_filters({name: value for name, value in job.filter.items() if value}))),
        ("state", f"{job.state}: {job.problem}" if job.problem else job.state),
        ("asked", moment(job.created_at) + (f" by {job.by}" if job.by else "")),
        ("ended", moment(job.ended_at)),
        ("searched", f"{job.searched:,} of {job.total:,}"),
        *([("undecided", f"{job.undecided:,}, to which nothing is done")] if job.undecided else []),
        ("done", f"{job.done:,} of {job.matched:,} found"),
        *_refusals(job),
    ]
    facts(pairs)


def _filters(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        if name in ("after", "before"):
            yield f"{name} {moment(value)}"
        elif name == "hidden":
            yield "an expression that this API key may not see"
        else:
            yield f"{name} {value}"


def _refusals(job: BulkJob) -> Iterator[tuple[str, str]]:
    for refusal in job.refusals:
        yield "refused", f"{refusal.count:,}: {refusal.reason}; such as {', '.join(refusal.examples)}"


def follow(url: str | None, id: str, *, json: bool) -> int:
    """Prints how far a job has come until it has ended; answers the exit code."""
    return ask(url, lambda connection: _follow(connection, id, json=json))


async def _follow(connection: Connection, id: str, *, json: bool) -> int:
    said, looks = "", iter(LOOKS)
    while True:
        answer = await connection.get(job_path(id))
        job = read(JOB, answer, id)
        if job.ended:
            break
        line = f"{job.done:,} of {job.matched:,} found are done, {job.searched:,} of {job.total:,} searched"
        if line != said and not json:
            say(line)
        said = line
        await asyncio.sleep(next(looks, LOOKS[-1]))
    if json:
        say_json(answer["data"])
    else:
        say_end(job)
    return int(job.state != "done")


def say_end(job: BulkJob) -> None:
    """Prints what has become of a job."""
    left = f", {job.left:,} left" if job.left else ""
    why = f": {job.problem}" if job.problem else ""
    say(f"{job.state}{why}: {job.done:,} done, {job.refused:,} refused{left}")
    if job.refusals:
        facts([*_refusals(job)])
