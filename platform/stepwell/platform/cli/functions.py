"""`stepwell functions`: what is registered."""

from collections.abc import Mapping
from typing import Any

from stepwell.platform.cli.api import Url, get
from stepwell.platform.cli.console import AsJson, say, say_json, table


def functions(url: Url = None, json: AsJson = False) -> None:
    """List the registered functions."""
    answer = get(url, "/api/v1/functions")
    if json:
        say_json(answer)
        return
    if answer["data"]:
        table(
            ("function", "starts on", "retries", "concurrency", "runs", "workers"),
            [_row(one) for one in answer["data"]],
        )
    else:
        say("no functions; `stepwell worker path/to/file.py` registers some")


def _row(function: Mapping[str, Any]) -> tuple[str, ...]:
    triggers = ", ".join(map(_trigger, function["triggers"]))
    limits = ", ".join(_limit(limit) for limit in function["concurrency"]) or "-"
    retries = str(function["retries"]["times"])
    return function["id"], triggers, retries, limits, str(function["runs"]), str(function["workers"])


def _trigger(trigger: Mapping[str, Any]) -> str:
    if "cron" in trigger:
        return f"{trigger['cron']} ({trigger['tz']})"
    return f"{trigger['event']} if …" if trigger.get("if") else str(trigger["event"])


def _limit(limit: Mapping[str, Any]) -> str:
    return f"{limit['limit']} by {limit['key']}" if limit.get("key") else str(limit["limit"])
