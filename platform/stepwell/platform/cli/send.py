"""`stepwell send`: an event from the command line."""

import asyncio
import sys
from typing import Annotated, Any, cast

import typer

from stepwell.client import Client, ClientError, Event, Run
from stepwell.platform.cli.api import ONCE, Url
from stepwell.platform.cli.console import AsJson, Misuse, facts, say, say_json
from stepwell.platform.cli.events import refusals_of
from stepwell.platform.codec import MalformedJSON, decode


def send(
    name: Annotated[str, typer.Argument(help="What happened, such as order.placed.")],
    data: Annotated[str, typer.Argument(help="The facts, a JSON object; - reads them from standard input.")] = "{}",
    id: Annotated[str | None, typer.Option(help="Your own id: sent again, it starts nothing twice.")] = None,
    ts: Annotated[
        int | None, typer.Option(help="When it happened, ms UTC; in the future, its runs start then.")
    ] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Send an event."""
    try:
        event = Event(name, _data(data), id=id, ts=ts)
        client = Client(url, retry=ONCE)
    except (TypeError, ValueError) as error:
        raise Misuse(str(error)) from None
    found, runs, why = asyncio.run(_send(client, event))
    if json:
        say_json({"id": found, "runs": None if runs is None else [run.id for run in runs]})
        return
    facts([("event", found), *[("run", f"{run.id}  {run.function}") for run in runs or ()]])
    for line in why:
        say(line)
    if runs == () and not why:
        say(f"  no function starts on {name!r}; a run that waits for it goes on")


def _data(text: str) -> dict[str, Any]:
    try:
        data = decode(sys.stdin.read() if text == "-" else text)
    except MalformedJSON as error:
        raise Misuse(f"""the data is not JSON ({error}): write it as '{{"id": "A-1"}}', in single quotes""") from None
    if not isinstance(data, dict):
        raise Misuse(f"""the data is an object, such as '{{"id": "A-1"}}', not {text if len(text) < 40 else "this"}""")
    return cast("dict[str, Any]", data)


async def _send(client: Client, event: Event) -> tuple[str, tuple[Run, ...] | None, list[str]]:
    """The event's id, the runs it started as far as this may be read, and why it has not started others."""
    async with client:
        [id] = await client.send(event)
        try:
            return id, await client.events.runs(id), refusals_of(await client.events.get(id))
        except ClientError:
            return id, None, []  # a key that allows sending need not allow reading
