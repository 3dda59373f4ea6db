"""What a served app registers with its server, and says of itself."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from stepwell.functions.app import App
from stepwell.functions.function import Function
from stepwell.functions.protocol import CronManifest, FunctionManifest, TriggerManifest
from stepwell.functions.served.words import FUNCTION, OURS

FIRST = "step"


def sdk() -> str:
    """What this is, and of which version."""
    return f"{OURS}:v{version('stepwell')}"


def slug(function: Function[Any]) -> str:
    """The name of a function in the SDK protocol."""
    return f"{function.app}-{function.id}"


def registration(app: App, url: str) -> dict[str, Any]:
    """What is sent to register an app that is served at `url`.

    Servers of ours read the field `stepwell`, which has every control; others know triggers and retries at least.
    """
    return {
        "url": url,
        "deployType": "ping",
        "framework": "stepwell",
        "appName": app.id,
        "appVersion": app.version,
        "sdk": sdk(),
        "v": "0.1",
        "capabilities": {"in_band_sync": "v1"},
        "functions": [_function(one, url) for one in app.functions.values()],
        OURS: app.manifest.model_dump(mode="json", exclude_defaults=True),
    }


def in_band(app: App, url: str) -> dict[str, Any]:
    """What answers a server that registers the app itself."""
    whole = registration(app, url)
    return {
        "app_id": app.id,
        "env": None,
        "framework": whole["framework"],
        "functions": whole["functions"],
        "inspection": introspection(app, "cloud"),
        "platform": None,
        "sdk_author": OURS,
        "sdk_language": OURS,
        "sdk_version": f"v{version('stepwell')}",
        "url": url,
        "appVersion": app.version,
        OURS: whole[OURS],
    }


def introspection(app: App, mode: str) -> dict[str, Any]:
    """What anybody may know."""
    return {
        "schema_version": "2024-05-24",
        "mode": mode,
        "function_count": len(app.functions),
        "has_event_key": False,
        "has_signing_key": mode == "cloud",
    }


def _function(function: Function[Any], url: str) -> dict[str, Any]:
    name, known = slug(function), function.manifest
    joint = "&" if urlsplit(url).query else "?"
    runtime = {"type": "http", "url": f"{url}{joint}{FUNCTION}={name}&stepId={FIRST}"}
    step = {"id": FIRST, "name": FIRST, "runtime": runtime, "retries": {"attempts": known.retries.times}}
    return {"id": name, "name": function.name, "triggers": _triggers(known), "steps": {FIRST: step}}


def _triggers(known: FunctionManifest) -> list[dict[str, Any]]:
    return [_trigger(one) for one in known.triggers]


def _trigger(trigger: TriggerManifest | CronManifest) -> dict[str, Any]:
    if isinstance(trigger, CronManifest):
        return {"cron": f"TZ={trigger.tz} {trigger.cron}"}
    return {"event": trigger.event, **({"expression": trigger.if_} if trigger.if_ else {})}
