"""`stepwell runs`: reading, following and steering runs."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from stepwell.client import Run, Step
from stepwell.client.connection import Connection
from stepwell.client.reading import read
from stepwell.platform.cli.api import Url, ask, get, post, run_path
from stepwell.platform.cli.console import AsJson, facts, listing, say, say_json, say_searched, table
from stepwell.platform.cli.following import follow
from stepwell.platform.cli.history import history
from stepwell.platform.cli.logs import logs
from stepwell.platform.cli.steering import rerun, resolve, retry, wake
from stepwell.platform.cli.times import moment, took
from stepwell.platform.cli.values import failure, payload, shortened, traced, waiting, waits
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

RUN = TypeAdapter(Run)
RUNS = TypeAdapter(tuple[Run, ...])
STEPS = TypeAdapter(tuple[Step, ...])

Id = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]


def runs() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(help="Read, follow and steer runs.", rich_markup_mode=None)
    group.command("list")(list_runs)
    group.command("show")(show)
    group.command("cancel")(cancel)
    group.command("watch")(watch)
    for command in (logs, history, rerun, retry, wake, resolve):
        group.command()(command)
    return group


def list_runs(
    status: OfStatus = None,
    function: OfFunction = None,
    app: OfApp = None,
    event: OfEvent = None,
    where: Where = None,
    id: OfId = None,
    event_id: OfEventId = None,
    after: Since = None,
    before: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most runs to list.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next` of the list before.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """List runs, newest first."""
    filters = wanted(status, function, app, event, where, id, event_id, after, before)
    answer = get(url, "/api/v1/runs", {**filters, "limit": limit, "cursor": cursor})
    if json:
        say_json(answer)
        return
    rows = [_row(run) for run in read(RUNS, answer, "/api/v1/runs")]
    none = "no such runs" if filters or cursor else "no runs"
    listing(("run", "function", "status", "created", "took"), rows, none, answer.get("next"))
    if where is not None:
        say_searched(answer)


def show(id: Id, url: Url = None, json: AsJson = False) -> None:
    """Show a run and its steps."""
    run, steps = ask(url, lambda connection: _whole(connection, id))
    if json:
        say_json(run["data"] | {"steps": steps["data"]})
    else:
        _print(read(RUN, run, id), read(STEPS, steps, id))


def cancel(id: Id, url: Url = None, json: AsJson = False) -> None:
    """Cancel a run; one that is executing ends at its next step or await."""
    answer = post(url, f"{run_path(id)}/cancel")
    if json:
        say_json(answer["data"])
        return
    run = read(RUN, answer, id)
    if run.ended:
        say(f"{run.id} is {run.status}")
    else:
        say(f"{run.id} is asked to end at its next step or await; `stepwell runs watch {run.id}` says when it has")


def watch(
    id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Id of the run; without one, all are watched.")
    ] = None,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Follow a run to its end, or the changes of all. Exit code 1 when the run does not complete."""
    return asyncio.run(follow(url, id, json=json))


async def _whole(connection: Connection, id: str) -> tuple[Any, Any]:
    return await connection.get(run_path(id)), await connection.get(f"{run_path(id)}/steps")


def _row(run: Run) -> tuple[str, ...]:
    return run.id, run.function, run.status, moment(run.created_at), took(run.started_at, run.ended_at)


def _print(run: Run, steps: tuple[Step, ...]) -> None:
    pairs = [
        ("run", run.id),
        ("function", f"{run.function}  version {run.version}{_ran(run)}"),
        ("status", run.status),
        ("event", f"{run.event_id}  {run.event_name}"),
        *_origin(run),
        ("created", moment(run.created_at)),
        ("started", moment(run.started_at)),
        ("ended", f"{moment(run.ended_at)}  after {took(run.started_at, run.ended_at)}" if run.ended_at else "-"),
        *[("waits for", text) for text in waits(run.waiting_on)],
    ]
    if run.status == "completed":
        pairs.append(("output", shortened(payload(run.output, hidden=run.hidden))))
    if run.error is not None:
        pairs.append(("error", failure(run.error)))
    if run.drift:
        pairs.append(("drift", f"recorded, and not asked for any more: {', '.join(run.drift)}"))
    facts(pairs)
    if steps:
        say()
        over = run.ended_at is not None
        table(("step", "kind", "status", "attempts", "took", "outcome"), [_step(step, over=over) for step in steps])
    for what, error in [*((f"step {step.id}", step.error) for step in steps), ("the function", run.error)]:
        if error is not None and (error.traceback or error.causes):
            say()
            say(f"{what}: {traced(error)}")


def _ran(run: Run) -> str:
    """The versions that have executed it, if that is not only the one it was created with."""
    return "" if set(run.versions) <= {run.version} else f", executed by {', '.join(run.versions)}"


def _origin(run: Run) -> Iterator[tuple[str, str]]:
    if run.rerun_of:
        yield "rerun of", run.rerun_of
    if run.parent_id:
        yield "invoked by", f"{run.parent_id}  {run.parent_step}"


def _step(step: Step, *, over: bool) -> tuple[str, ...]:
    spent = took(step.started_at, step.ended_at)
    return step.id, step.kind, step.status, str(step.attempts), spent, _outcome(step, over=over)


def _outcome(step: Step, *, over: bool) -> str:
    if step.status == "running":
        return f"by {step.worker}"
    if step.error is not None:
        return shortened(failure(step.error))
    if step.status == "waiting" and over:
        return "none: the run has ended"
    if step.status == "waiting":
        return waiting(step)
    return shortened(payload(step.output, hidden=step.hidden))
