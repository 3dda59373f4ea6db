"""`stepwell schedules`: reading and steering what starts functions by the clock."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from stepwell.platform.cli.api import Url, get, post
from stepwell.platform.cli.console import AsJson, Misuse, facts, say, say_json, table
from stepwell.platform.cli.times import moment, span

PATH = "/api/v1/schedules"

Id = Annotated[
    str, typer.Argument(metavar="SCHEDULE", help="Id of the schedule; that of a function will do when it has one.")
]


def schedules() -> typer.Typer:
    """The group of commands."""
    group = typer.Typer(help="Read and steer schedules.", rich_markup_mode=None)
    group.command("list")(list_schedules)
    for command in (show, run, skip, pause, resume, backfill):
        group.command()(command)
    return group


def list_schedules(
    function: Annotated[str | None, typer.Option(help="Only those of this function, as app/function.")] = None,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """List the schedules, with their next and last times."""
    answer = get(url, PATH, {"function": function})
    if json:
        say_json(answer)
    elif answer["data"]:
        table(("schedule", "cron", "zone", "next", "last", "missed"), [_row(one) for one in answer["data"]])
    else:
        say("no schedules" if function is None else f"no schedules of {function!r}")


def show(id: Id, url: Url = None, json: AsJson = False) -> None:
    """Show a schedule and its next times."""
    found = get(url, _path(url, id))["data"]
    if json:
        say_json(found)
    else:
        _print(found)


def run(id: Id, url: Url = None) -> None:
    """Start a run now, beside the plan."""
    started = post(url, f"{_path(url, id)}/run")["data"]["run"]
    say(f"started run {started}")


def skip(id: Id, url: Url = None) -> None:
    """Leave out the next time."""
    found = post(url, f"{_path(url, id)}/skip")["data"]
    say(f"{moment(found['skips'])} is left out; the time after it is {moment(found['next_at'])}")


def pause(id: Id, url: Url = None) -> None:
    """Let a schedule rest until it is resumed."""
    found = post(url, f"{_path(url, id)}/pause")["data"]
    say(f"{found['id']} is paused since {moment(found['paused_at'])}")


def resume(id: Id, url: Url = None) -> None:
    """End the rest of a schedule; what it missed is caught up with as its `catch_up` says."""
    found = post(url, f"{_path(url, id)}/resume")["data"]
    say(f"{found['id']} goes on; next at {moment(found['next_at'])}")


def backfill(
    id: Id,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="The first time that counts, in ISO 8601.")],
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="The first that does not; default: now.")
    ] = None,
    url: Url = None,
) -> None:
    """Start the runs of all times of a range that have none. Without an offset, times are of this machine's zone."""
    query = f"from={_ms(start)}" + (f"&to={_ms(end)}" if end else "")
    done = post(url, f"{_path(url, id)}/backfill?{query}")["data"]
    say(f"started {len(done['runs'])} runs; {done['existing']} times had theirs already")


def _path(url: str | None, id: str) -> str:
    """Where a schedule is. Raises `Misuse` when it is named by a function that has none, or several."""
    if id.count("/") != 1:
        return f"{PATH}/{quote(id)}"
    found = [one["id"] for one in get(url, PATH, {"function": id})["data"]]
    if len(found) != 1:
        known = f"has several schedules: {', '.join(found)}" if found else "has no schedule"
        raise Misuse(f"{id} {known}; `stepwell schedules list` names all")
    return f"{PATH}/{quote(found[0])}"


def _ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        raise Misuse(f"{text!r} is not a time; write it as in 2026-03-29T02:30 or 2026-03-29T02:30+01:00") from None


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    upcoming = "paused" if one["paused_at"] else moment(one["next_at"])
    return one["id"], one["cron"], one["tz"], upcoming, moment(one["last_at"]), str(one["missed"])


def _print(one: Mapping[str, Any]) -> None:
    last = f"{moment(one['last_at'])}  run {one['last_run']}" if one["last_run"] else "-"
    pairs = [
        ("schedule", one["id"]),
        ("cron", f"{one['cron']}  in {one['tz']}"),
        ("state", f"paused since {moment(one['paused_at'])}" if one["paused_at"] else "active"),
        ("last", last),
        ("missed", str(one["missed"])),
        ("skipped", str(one["skipped"])),
        ("overlap", f"{one['overlap']}, {len(one['held'])} held" if one["held"] else one["overlap"]),
        ("catch up", f"{one['catch_up']}, within {span(one['window'])}"),
        ("jitter", span(one["jitter"])),
        *[("next", moment(time)) for time in one["upcoming"]],
    ]
    if one["skips"]:
        pairs.append(("left out", moment(one["skips"])))
    facts(pairs)
