"""What the list of events shows."""

import asyncio
from dataclasses import dataclass

from stepwell.dashboard.events.listeners import Listening
from stepwell.dashboard.events.outcome import MOST_RUNS, Outcome, outcome
from stepwell.dashboard.events.query import EventsQuery
from stepwell.dashboard.events.teaching import lesson
from stepwell.dashboard.runs.teaching import Lesson
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.sizes import size
from stepwell.platform.codec import encode
from stepwell.platform.expressions import Expression, ExpressionError
from stepwell.platform.installation import Installation
from stepwell.platform.reading.pages import Page
from stepwell.platform.reading.where import where_of_event
from stepwell.platform.records import EventRecord, RunRecord
from stepwell.platform.snapshot import Snapshot

MOST_SUGGESTIONS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the list. `sender_id` is empty when its sender gave it none."""

    id: str
    name: str
    size: str
    sender_id: str
    received: Moment
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Searched:
    """How far was searched: `page` entries for this page, of `total`; of `undecided` it could not be told."""

    page: str
    total: str
    undecided: int


@dataclass(frozen=True, slots=True)
class EventsView:
    """The page. `older` and `newest` are addresses, where there is anything; `mistake` is in the expression."""

    query: EventsQuery
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    mistake: str
    searched: Searched | None
    older: str | None
    newest: str | None
    toggle: str
    lesson: Lesson | None

    @property
    def moves(self) -> bool:
        """Whether the page follows what happens."""
        return not (self.query.still or self.mistake)


async def events_view(installation: Installation, query: EventsQuery, origin: str) -> EventsView:
    """Reads one page of events for who asked for it at `origin`. Raises `BadCursor`.

    With an expression that is none, the page is that without it.
    """
    where, mistake = _understood(query.q)
    history = installation.history
    page, snapshot = await asyncio.gather(
        history.events(query.name, where=where, cursor=query.cursor), installation.registry.load()
    )
    runs = await history.headers(page.items, MOST_RUNS)
    names = list(Listening(snapshot).named)
    bare = not (page.items or page.next or query.filtered or query.cursor)
    now = installation.clock.now()
    return EventsView(
        query=query,
        names=tuple(name for name in names if not name.endswith("*"))[:MOST_SUGGESTIONS],
        rows=tuple(_row(event, snapshot, runs, now) for event in page.items),
        mistake=mistake,
        searched=_searched(page) if query.filtered and (page.next or page.undecided) else None,
        older=query.url(cursor=page.next) if page.next else None,
        newest=query.url() if query.cursor else None,
        toggle=query.url(cursor=query.cursor, live=None if query.still else "off"),
        lesson=lesson(names, origin) if bare else None,
    )


def _understood(q: str | None) -> tuple[Expression | None, str]:
    """The expression, or what is wrong with it."""
    try:
        return (where_of_event(q) if q else None), ""
    except ExpressionError as error:
        return None, f"Column {error.column}: {error.message}"


def _row(event: EventRecord, snapshot: Snapshot, runs: dict[str, RunRecord], now: int) -> Row:
    return Row(
        id=event.id,
        name=event.name,
        size=size(len(encode(event.data))),
        sender_id=event.sender_id,
        received=past(event.received, now),
        outcome=outcome(event, snapshot, runs),
    )


def _searched(page: Page[EventRecord]) -> Searched:
    return Searched(f"{page.searched:,}", f"{page.total:,}", page.undecided)
