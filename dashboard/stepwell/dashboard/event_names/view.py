"""Which names events have, and who starts on them."""

import asyncio
from collections import Counter
from dataclasses import dataclass

from stepwell.dashboard.events.listeners import Listener, Listening
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.platform.incoming import RESERVED
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import MOST_ITEMS

MOST_NAMES = 200
MOST_LISTENERS = 5


@dataclass(frozen=True, slots=True)
class NameRow:
    """A name. `recent`: how many of the latest events have it; `last`: when the last of those came.

    `pattern` when it is a wildcard, which no event is called; `own` when only the platform sends such.
    """

    name: str
    pattern: bool
    own: bool
    listeners: tuple[Listener, ...]
    more: int
    recent: int
    last: Moment | None


@dataclass(frozen=True, slots=True)
class NamesView:
    """The page. `looked` at so many of the latest events, of `total`; `hidden` names are left out."""

    rows: tuple[NameRow, ...]
    looked: str
    total: str
    hidden: int


async def names_view(installation: Installation) -> NamesView:
    """Reads the registered functions, and the latest events."""
    now = installation.clock.now()
    page, snapshot = await asyncio.gather(installation.history.events(limit=MOST_ITEMS), installation.registry.load())
    recent = Counter(event.name for event in page.items)
    last = {event.name: event.received for event in reversed(page.items)}
    listening = Listening(snapshot)
    names = sorted({*listening.named, *recent})

    def row(name: str) -> NameRow:
        pattern = name.endswith("*") and name not in recent
        found = listening.named[name] if pattern else listening.to(name)
        shown, at = found[:MOST_LISTENERS], last.get(name)
        return NameRow(
            name,
            pattern,
            name.startswith(RESERVED),
            shown,
            len(found) - len(shown),
            recent[name],
            None if at is None else past(at, now),
        )

    rows = tuple(row(name) for name in names[:MOST_NAMES])
    return NamesView(rows, f"{page.searched:,}", f"{page.total:,}", max(0, len(names) - MOST_NAMES))
