"""Commands that send an event."""

from dataclasses import dataclass
from shlex import quote

from stepwell.dashboard.runs.teaching import USUAL
from stepwell.platform.codec import encode

LONGEST = 32 << 10
"""Bytes of data above which there is no command: terminals do not take it."""


@dataclass(frozen=True, slots=True)
class Commands:
    """The same, for two programs."""

    curl: str
    send: str


def commands(origin: str, name: str, data: bytes) -> Commands | None:
    """How to send an event of this name and JSON to the server at `origin`; `None` when its data is too large."""
    if len(data) > LONGEST or "\0" in name:
        return None
    return Commands(as_curl(origin, name, data), as_send(origin, name, data.decode()))


def as_curl(origin: str, name: str, data: bytes) -> str:
    """With the event key from the environment, where it is for those that send; a server in `dev` takes any."""
    body = (b'{"name":%b,"data":%b}' % (encode(name), data)).decode()
    return f'curl {quote(origin)}/e/"${{STEPWELL_EVENT_KEY:-dev}}" -d {quote(body)}'


def as_send(origin: str, name: str, data: str) -> str:
    """`stepwell send`."""
    words = f"{quote(name)} {quote(data)}"
    url = "" if origin in USUAL else f"--url {quote(origin)}"
    if name.startswith("-"):
        return " ".join(filter(None, ("stepwell send", url, "--", words)))
    return " ".join(filter(None, ("stepwell send", words, url)))
