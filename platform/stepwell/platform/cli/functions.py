"""`stepwell functions`: what is registered."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from stepwell.platform.cli.api import Url, get, post
from stepwell.platform.cli.console import AsJson, Misuse, say, say_json, table
from stepwell.platform.flow.pausing import Mode

Id = Annotated[str, typer.Argument(metavar="APP/FUNCTION", help="Id of the function.")]
How = Annotated[
    Mode,
    typer.Option(
        help="keep: all its runs wait; hold: those that have not begun; drop: events start no more of them.",
    ),
]


def functions() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(help="Read, pause and resume functions.", rich_markup_mode=None, invoke_without_command=True)
    group.callback()(default)
    group.command("list")(list_functions)
    group.command()(pause)
    group.command()(resume)
    return group


def default(context: typer.Context, url: Url = None, json: AsJson = False) -> None:
    """List the registered functions; or pause and resume one."""
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
