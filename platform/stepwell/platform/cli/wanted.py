"""Options that say which runs are meant."""

from typing import Annotated, TypeAlias

import typer

from stepwell.client import RunStatus
from stepwell.platform.cli.times import since
from stepwell.platform.clock import SystemClock

OfStatus: TypeAlias = Annotated[RunStatus | None, typer.Option(help="Only those of this status.")]
OfFunction: TypeAlias = Annotated[str | None, typer.Option(help="Only those of this function, as app/function.")]
OfApp: TypeAlias = Annotated[str | None, typer.Option(help="Only those of this app.")]
OfEvent: TypeAlias = Annotated[str | None, typer.Option(help="Only those started by events of this name.")]
Where: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="EXPRESSION", help="Only those it is true of, such as 'error.type == \"CardDeclined\"'."),
]
OfId: TypeAlias = Annotated[str | None, typer.Option(metavar="PREFIX", help="Only those whose ids begin so.")]
OfEventId: TypeAlias = Annotated[str | None, typer.Option(metavar="EVENT", help="Only those of this event.")]
Since: TypeAlias = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only those created since: 90m, 7d, or ISO 8601.")
]
Until: TypeAlias = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Only those created before, likewise.")
]


def wanted(
    status: str | None,
    function: str | None,
    app: str | None,
    event: str | None,
    where: str | None,
    id: str | None,
    event_id: str | None,
    after: str | None,
    before: str | None,
) -> dict[str, str | int | None]:
    """What is given of them, as the API takes it. Raises `Misuse` for what is no time."""
    now = SystemClock().now()
    filters = {"status": status, "function": function, "app": app, "event": event, "id": id, "event_id": event_id}
    times = {"after": after and since(after, now), "before": before and since(before, now)}
    given: dict[str, str | int | None] = {**filters, **times, "q": where}
    return {name: value for name, value in given.items() if value is not None}
