"""`stepwell keys`: keys for a server that others can reach."""

import secrets

from stepwell.platform.cli.console import AsJson, say, say_json

BYTES = 24


def keys(json: AsJson = False) -> None:
    """Make keys for sending events, and for reading and steering; set them for the server, and hand them to callers."""
    made = {
        name: f"{kind}_{secrets.token_urlsafe(BYTES)}"
        for name, kind in (("STEPWELL_EVENT_KEYS", "event"), ("STEPWELL_API_KEYS", "api"))
    }
    if json:
        say_json(made)
        return
    for name, key in made.items():
        say(f"export {name}={key}")
