"""`stepwell events`: what was sent, and what became of it."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from pydantic import TypeAdapter

from stepwell.client import Run, StoredEvent
from stepwell.client.connection import Connection
from stepwell.client.reading import read
from stepwell.platform.cli.api import Url, ask, get
from stepwell.platform.cli.console import AsJson, facts, listing, say, say_json, say_searched, table
from stepwell.platform.cli.times import moment
from stepwell.platform.cli.values import payload, shortened

EVENT = TypeAdapter(StoredEvent)
EVENTS = TypeAdapter(tuple[StoredEvent, ...])
RUNS = TypeAdapter(tuple[Run, ...])


def events() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(help="Read events.", rich_markup_mode=None)
    group.command("list")(list_events)
    group.command("show")(show)
    return group


def list_events(
    name: Annotated[str | None, typer.Option(help="Only those of this name.")] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="EXPRESSION", help="Only those it is true of, such as 'event.data.id == \"o-17\"'."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most events to list.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next` of the list before.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """List events, newest first."""
    answer = get(url, "/api/v1/events", {"name": name, "q": where, "limit": limit, "cursor": cursor})
    if json:
        say_json(answer)
        return
    rows = [_row(event) for event in read(EVENTS, answer, "/api/v1/events")]
    none = "no events" if name is None else f"no events called {name!r}"
    listing(
        ("event", "name", "received", "runs", "data"),
        rows,
        none if where is None else "no such events",
        answer.get("next"),
    )
    if where is not None:
        say_searched(answer)


def show(
    id: Annotated[str, typer.Argument(metavar="EVENT", help="Id of the event, as `send` printed it.")],
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Show an event and the runs it started."""
    event, runs = ask(url, lambda connection: _whole(connection, id))
    if json:
        say_json(event["data"] | {"runs": runs["data"]})
    else:
        _print(read(EVENT, event, id), read(RUNS, runs, id))


async def _whole(connection: Connection, id: str) -> tuple[Any, Any]:
    path = f"/api/v1/events/{quote(id, safe='')}"
    return await connection.get(path), await connection.get(f"{path}/runs")


def _row(event: StoredEvent) -> tuple[str, ...]:
    data = shortened(payload(event.data, hidden=event.hidden), 60)
    return event.id, event.name, moment(event.received_at), str(len(event.runs)), data


def _print(event: StoredEvent, runs: tuple[Run, ...]) -> None:
    facts(
        [
            ("event", event.id),
            ("name", event.name),
            ("ts", moment(event.ts)),
            ("received", moment(event.received_at)),
            ("data", payload(event.data, hidden=event.hidden)),
        ]
    )
    say()
    if runs:
        table(("run", "function", "status"), [(run.id, run.function, run.status) for run in runs])
    else:
        say("  it started no run")
    for line in refusals_of(event):
        say(line)


def refusals_of(event: StoredEvent) -> list[str]:
    """The functions of which an event has started no run, and why, a line each."""
    return [f"  no run of {refusal['function']}: {refusal['message']}" for refusal in event.refusals]
