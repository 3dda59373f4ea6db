"""`stepwell functions`: what is registered, and steering it."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer
from pydantic import TypeAdapter
from ulid import ULID

from stepwell.client import Run
from stepwell.client.reading import read
from stepwell.platform.cli.api import Url, get, post
from stepwell.platform.cli.console import AsJson, Misuse, say, say_json, table
from stepwell.platform.cli.following import follow
from stepwell.platform.cli.values import given_json
from stepwell.platform.flow.pausing import Mode

RUN = TypeAdapter(Run)

Id = Annotated[str, typer.Argument(metavar="APP/FUNCTION", help="Id of the function.")]
How = Annotated[
    Mode,
    typer.Option(
        help="keep: all its runs wait; hold: those that have not begun; drop: events start no more of them.",
    ),
]


def functions() -> typer.Typer:
    """The group of commands."""
    about = "Read, invoke, pause and resume functions."
    group = typer.Typer(help=about, rich_markup_mode=None, invoke_without_command=True)
    group.callback()(default)
    group.command("list")(list_functions)
    group.command()(invoke)
    group.command()(pause)
    group.command()(resume)
    return group


def default(context: typer.Context, url: Url = None, json: AsJson = False) -> None:
    """List the registered functions; or invoke, pause and resume one."""
    if context.invoked_subcommand is None:
        list_functions(url, json)


def list_functions(url: Url = None, json: AsJson = False) -> None:
    """List the registered functions, and whether they are paused."""
    answer = get(url, "/api/v1/functions")
    if json:
        say_json(answer)
        return
    if answer["data"]:
        table(
            ("function", "starts on", "retries", "concurrency", "runs", "workers", "paused"),
            [_row(one) for one in answer["data"]],
        )
    else:
        say("no functions; `stepwell worker path/to/file.py` registers some")


def invoke(
    id: Id,
    data: Annotated[
        str, typer.Option(metavar="JSON", help="Data of its event, a JSON object; - reads it from standard input.")
    ] = "{}",
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the run to its end; exit code 1 when it does not complete.")
    ] = False,
    url: Url = None,
    json: AsJson = False,
) -> int:
    """Start a run of one function, whatever events start it."""
    answer = post(url, f"{_path(id)}/invoke", {"request": str(ULID()), "data": given_json("--data", data)})
    run = read(RUN, answer, id)
    if wait:
        return asyncio.run(follow(url, run.id, json=json))
    if json:
        say_json(answer["data"])
    else:
        say(f"started run {run.id}; `stepwell runs watch {run.id}` follows it")
    return 0


def pause(id: Id, mode: How = "keep", url: Url = None) -> None:
    """Pause a function, or change how it is paused."""
    found = post(url, f"{_path(id)}/pause?mode={mode}")["data"]
    say(f"{found['id']} is paused ({found['paused']['mode']})")


def resume(id: Id, url: Url = None) -> None:
    """Have a paused function go on, in the order in which its runs came."""
    say(f"{post(url, f'{_path(id)}/resume')['data']['id']} goes on")


def _path(id: str) -> str:
    app, _, function = id.partition("/")
    if not app or not function:
        raise Misuse(f"{id!r} is no id of a function: write APP/FUNCTION; `stepwell functions` lists those there are")
    return f"/api/v1/functions/{quote(app, safe='')}/{quote(function, safe='')}"


def _row(function: Mapping[str, Any]) -> tuple[str, ...]:
    triggers = ", ".join(map(_trigger, function["triggers"]))
    limits = ", ".join(_limit(limit) for limit in function["concurrency"]) or "-"
    retries = str(function["retries"]["times"])
    paused = function["paused"]["mode"] if function["paused"] else "-"
    return function["id"], triggers, retries, limits, str(function["runs"]), str(function["workers"]), paused


def _trigger(trigger: Mapping[str, Any]) -> str:
    if "cron" in trigger:
        return f"{trigger['cron']} ({trigger['tz']})"
    return f"{trigger['event']} if …" if trigger.get("if") else str(trigger["event"])


def _limit(limit: Mapping[str, Any]) -> str:
    return f"{limit['limit']} by {limit['key']}" if limit.get("key") else str(limit["limit"])
