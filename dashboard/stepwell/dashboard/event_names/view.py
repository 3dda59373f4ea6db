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
    rows = tuple(_row(name, listening, recent[name], last.get(name), now) for name in names[:MOST_NAMES])
    return NamesView(rows, f"{page.searched:,}", f"{page.total:,}", max(0, len(names) - MOST_NAMES))


def _row(name: str, listening: Listening, recent: int, last: int | None, now: int) -> NameRow:
    pattern = name.endswith("*") and not recent
    found = listening.named[name] if pattern else listening.to(name)
    return NameRow(
        name=name,
        pattern=pattern,
        own=name.startswith(RESERVED),
        listeners=found[:MOST_LISTENERS],
        more=max(0, len(found) - MOST_LISTENERS),
        recent=recent,
        last=None if last is None else past(last, now),
    )
