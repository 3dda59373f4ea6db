"""`stepwell queues`: what each function has to do."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from stepwell.platform.cli.api import Url, get
from stepwell.platform.cli.console import AsJson, say, say_json, table

COLUMNS = ("ready", "blocked", "throttled", "paused", "moved", "executing")


def queues(
    function: Annotated[str | None, typer.Option(help="Only this one, as app/function.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Show what each function has to do: runs that are ready, that wait, and that execute."""
    answer = get(url, "/api/v1/queues", {"function": function})
    if json:
        say_json(answer)
    elif answer["data"]:
        table(("function", *COLUMNS, "workers", "oldest"), [_row(one) for one in answer["data"]])
    else:
        say("no functions; `stepwell worker path/to/file.py` registers some")


def _row(queue: Mapping[str, Any]) -> tuple[str, ...]:
    least = "+" if queue["more"] else ""
    counts = [f"{queue[column]}{least if column != 'executing' else ''}" for column in COLUMNS]
    return queue["function"], *counts, str(queue["workers"]), queue["oldest"] or "-"
