"""`stepwell workers`: who executes functions."""

from collections.abc import Mapping
from typing import Any

from stepwell.platform.cli.api import Url, get
from stepwell.platform.cli.console import AsJson, say, say_json, table
from stepwell.platform.cli.times import moment


def workers(url: Url = None, json: AsJson = False) -> None:
    """List the workers that are alive, with what they say of themselves."""
    answer = get(url, "/api/v1/workers")
    if json:
        say_json(answer)
    elif answer["data"]:
        head = ("worker", "state", "host", "pid", "apps", "runs", "slots", "since", "stepwell")
        table(head, [_row(one) for one in answer["data"]])
    else:
        say("no workers; `stepwell worker path/to/file.py` starts one")


def _row(worker: Mapping[str, Any]) -> tuple[str, ...]:
    known: dict[str, str] = worker["apps"] or {}
    apps = ", ".join(f"{id} {version}" for id, version in known.items())
    apps += f" at {worker['served']}" if worker["served"] else ""
    facts = [worker["host"], worker["pid"], apps, worker["running"], worker["slots"]]
    said = ["-" if value in (None, "") else str(value) for value in facts]
    return worker["id"], _state(worker), *said, moment(worker["started_at"]), worker["stepwell"] or "-"


def _state(worker: Mapping[str, Any]) -> str:
    if worker["away"]:
        return f"away: {worker['away']['why']}"
    return "draining" if worker["draining"] else "suspects" if worker["suspects"] else "fine"
