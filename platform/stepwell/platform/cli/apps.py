"""`stepwell apps`: those there are, and adding and removing those that are served over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from stepwell.platform.cli.api import Url, get, post
from stepwell.platform.cli.console import AsJson, say, say_json, table

Address = Annotated[
    str,
    typer.Argument(metavar="ADDRESS", help="Where the app serves its functions, as http://127.0.0.1:3000/api/inngest."),
]
Id = Annotated[str, typer.Argument(metavar="APP", help="Id of the app.")]


def apps() -> typer.Typer:
    """The group of commands."""
    about = "List apps; add and remove those that are served over HTTP."
    group = typer.Typer(help=about, rich_markup_mode=None, invoke_without_command=True)
    group.callback()(default)
    group.command("list")(list_apps)
    group.command()(add)
    group.command()(remove)
    return group


def default(context: typer.Context, url: Url = None, json: AsJson = False) -> None:
    """List the registered apps; or add and remove those that are served over HTTP."""
    if context.invoked_subcommand is None:
        list_apps(url, json)


def list_apps(url: Url = None, json: AsJson = False) -> None:
    """List the registered apps, and where they are served."""
    answer = get(url, "/api/v1/apps")
    if json:
        say_json(answer)
    elif answer["data"]:
        table(("app", "version", "functions", "served at", "sdk"), [_row(one) for one in answer["data"]])
    else:
        say("no apps; `stepwell worker path/to/file.py` or `stepwell apps add ADDRESS` registers one")


def add(address: Address, url: Url = None) -> None:
    """Have the app that is served at an address register itself."""
    found = post(url, "/api/v1/apps", {"url": address})["data"]
    for app in found["apps"]:
        count = len(app["functions"])
        say(f"{app['id']} has {count} {'function' if count == 1 else 'functions'}, version {app['version']}")
    if not found["apps"]:
        say(f"{address} has registered itself, as served at another address: see `stepwell apps`")


def remove(app: Id, url: Url = None) -> None:
    """Forget an app that is served over HTTP: its functions are not started any more."""
    path = f"/api/v1/apps/{quote(app, safe='')}/remove"
    say(f"{post(url, path)['data']['id']} has no functions any more")


def _row(app: Mapping[str, Any]) -> tuple[str, ...]:
    served = app["served"] or {"url": "-", "sdk": "-"}
    return app["id"], app["version"], str(len(app["functions"])), served["url"], served["sdk"] or "-"
