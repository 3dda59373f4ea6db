"""`stepwell keys`: keys for a server that others can reach."""

import secrets
from typing import Annotated

import typer
from pydantic import SecretStr

from stepwell.platform.api.api_keys import api_keys
from stepwell.platform.cli.console import AsJson, Misuse, say, say_json

BYTES = 24
Name = Annotated[str | None, typer.Option(help="Of the API key; with --scopes.")]
Scopes = Annotated[
    str | None,
    typer.Option(help="Of the API key: read, operate or admin, or that and +no-payloads. Default: everything."),
]


def keys(name: Name = None, scopes: Scopes = None, json: AsJson = False) -> None:
    """Make keys for sending events, and for reading and steering; set them for the server, and hand them to callers.

    Of an API key with a name and scopes, callers get what is behind the last colon.
    """
    if (name is None) != (scopes is None):
        raise Misuse("--name and --scopes go together")
    event, api = [f"{kind}_{secrets.token_urlsafe(BYTES)}" for kind in ("event", "api")]
    made = {"STEPWELL_EVENT_KEYS": event, "STEPWELL_API_KEYS": api if name is None else f"{name}:{scopes}:{api}"}
    api_keys([SecretStr(made["STEPWELL_API_KEYS"])])
    if json:
        say_json(made)
        return
    for setting, key in made.items():
        say(f"export {setting}={key}")
