"""What the form that sends an event shows."""

from dataclasses import dataclass

from stepwell.dashboard.events.listeners import Listener, Listening
from stepwell.dashboard.send.commands import Commands, Way, commands, ways
from stepwell.dashboard.send.draft import Draft, Mistake
from stepwell.platform.codec import MalformedJSON, decode, encode
from stepwell.platform.incoming import RESERVED
from stepwell.platform.installation import Installation

MOST_NAMES = 500
MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Name:
    """A name to suggest, and who starts on it."""

    name: str
    functions: str


@dataclass(frozen=True, slots=True)
class SendView:
    """The page.

    Args:
        draft: what stands in the fields.
        mistakes: what is wrong with it, by field.
        origin: id of the event that it is like, or empty; `hidden` when its data may not be seen.
        listeners: who starts on the name that stands there.
        quiet: a name stands there, and nobody starts on it.
        commands: that send the same; `None` as long as it cannot be sent.
        ways: of which these are made, when other things are typed.
    """

    draft: Draft
    mistakes: dict[str, str]
    origin: str
    hidden: bool
    names: tuple[Name, ...]
    listeners: tuple[Listener, ...]
    quiet: bool
    commands: Commands | None
    ways: tuple[Way, ...]


async def send_view(
    installation: Installation,
    draft: Draft,
    url: str,
    *,
    mistake: Mistake | None = None,
    origin: str = "",
    hidden: bool = False,
) -> SendView:
    """The form with a draft, and what is wrong with it; commands are for the server at `url`."""
    snapshot = await installation.registry.load()
    listening = Listening(snapshot)
    known = [(name, listeners) for name, listeners in listening.named.items() if can_be_sent(name)]
    found = listening.to(draft.name) if draft.name else ()
    return SendView(
        draft=draft,
        mistakes={mistake.field: mistake.message} if mistake else {},
        origin=origin,
        hidden=hidden,
        names=tuple(_name(name, listeners) for name, listeners in known[:MOST_NAMES]),
        listeners=found[:MOST_SHOWN],
        quiet=bool(draft.name) and not found,
        ways=ways(url),
        commands=None if mistake or not draft.name else _commands(draft, url),
    )


def _name(name: str, listeners: tuple[Listener, ...]) -> Name:
    return Name(name, ", ".join(one.function for one in listeners[:MOST_SHOWN]))


def can_be_sent(name: str) -> bool:
    """Whether it is no wildcard, and not kept for the platform's own."""
    return not name.endswith("*") and not name.startswith(RESERVED)


def _commands(draft: Draft, url: str) -> Commands | None:
    try:
        return commands(url, draft.name, encode(decode(draft.data or "{}")))
    except MalformedJSON:
        return None
