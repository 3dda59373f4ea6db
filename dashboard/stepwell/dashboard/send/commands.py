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


@dataclass(frozen=True, slots=True)
class Way:
    """A program that sends events: what stands `before` and `after` the words that are the event, or that it has."""

    name: str
    before: str
    after: str


def ways(origin: str) -> tuple[Way, Way]:
    """The two, to the server at `origin`."""
    # The event key comes from the environment, as for programs that send; a server in `dev` takes any.
    curl = f'curl {quote(origin)}/e/"${{STEPWELL_EVENT_KEY:-dev}}" -d '
    return Way("send", "stepwell send ", "" if origin in USUAL else f" --url {quote(origin)}"), Way("curl", curl, "")


def commands(origin: str, name: str, data: bytes) -> Commands | None:
    """How to send an event of this name and JSON to the server at `origin`; `None` when its data is too large."""
    if len(data) > LONGEST or "\0" in name:
        return None
    body = (b'{"name":%b,"data":%b}' % (encode(name), data)).decode()
    _, curl = ways(origin)
    return Commands(f"{curl.before}{quote(body)}{curl.after}", as_send(origin, name, data.decode()))


def as_send(origin: str, name: str, data: str) -> str:
    """`stepwell send`."""
    send, _ = ways(origin)
    words = f"{quote(name)} {quote(data)}"
    if name.startswith("-"):
        return f"{send.before.strip()}{send.after} -- {words}"
    return f"{send.before}{words}{send.after}"
