"""`stepwell runs history`: what has happened to a run, and where its time went."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from stepwell.client import History, HistoryEntry
from stepwell.client.connection import Connection
from stepwell.client.reading import read
from stepwell.platform.cli.api import Url, ask, run_path
from stepwell.platform.cli.console import AsJson, complain, facts, say, say_json, table
from stepwell.platform.cli.times import moment, span, took
from stepwell.platform.cli.values import failure, shortened

HISTORY = TypeAdapter(History)
AT_ONCE = 1_000
BY_HAND = ("retry", "wake", "resolve")


def history(
    id: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")], url: Url = None, json: AsJson = False
) -> None:
    """Show what has happened to a run, and how long it was queued, running and waiting."""
    answer = ask(url, lambda connection: _whole(connection, id))
    if json:
        say_json(answer)
    else:
        _print(read(HISTORY, {"data": answer}, id))


async def _whole(connection: Connection, id: str) -> dict[str, Any]:
    """All parts as one."""
    entries, after, answer = list[Any](), "0", dict[str, Any]()
    while after is not None:
        answer = await connection.get(f"{run_path(id)}/history", {"after": after, "limit": AT_ONCE})
        entries += answer["data"]
        after = answer["next"]
    return answer | {"data": entries}


def _print(told: History) -> None:
    facts([("queued", span(told.queued_ms)), ("running", span(told.running_ms)), ("waiting", span(told.waiting_ms))])
    say()
    table(("at", "what", "took", "about"), [_row(entry) for entry in told.data])
    if told.dropped:
        complain(f"{told.dropped:,} older turns, failed attempts and acts are not kept")


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    at = datetime.fromtimestamp(entry.at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return at, entry.kind.replace("_", " "), took(entry.at, entry.until), shortened(" ".join(_about(entry)))


def _about(entry: HistoryEntry) -> list[str]:
    parts = [
        f"{_subject(entry)}",
        f"attempt {entry.attempt}" if entry.kind in ("failed_attempt", "failed") and entry.attempt else "",
        f"by {entry.worker}" if entry.worker else "",
        f"until {moment(entry.due)}" if entry.due and entry.until is None else "",
        f"then {entry.outcome}" if entry.kind == "running" and entry.outcome else "",
        f"{entry.outcome}" if entry.kind == "step" and entry.outcome else "",
        failure(entry.error) if entry.error else "",
    ]
    return [part for part in parts if part]


def _subject(entry: HistoryEntry) -> str:
    if entry.kind == "queued":
        return f"because {entry.step} has ended" if entry.step else ""
    if entry.kind in (*BY_HAND, "failed_attempt"):
        return entry.step or "the function"
    return f"{entry.step_kind} {entry.step}" if entry.step else ""
