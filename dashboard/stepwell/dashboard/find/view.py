"""What is found for a few typed characters: views, functions, and runs and events by their ids."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from stepwell.dashboard.rendering import VIEWS
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.api.wanted import ID_BEGINS
from stepwell.platform.ids import is_id
from stepwell.platform.installation import Installation
from stepwell.platform.reading.filter import RunFilter

LEAST_OF_ID = 4
"""Characters of an id below which too many begin like that."""
MOST_FUNCTIONS = 8
MOST_RUNS = 5


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: what `kind` of thing it is, what it is called, more about it, and its address."""

    kind: str
    label: str
    url: str
    detail: str = ""
    tone: Tone | None = None


@dataclass(frozen=True, slots=True)
class FindView:
    """The page. `exact` is the address of what has just the id that was typed."""

    text: str
    hits: tuple[Hit, ...]
    exact: str | None


async def find_view(installation: Installation, text: str) -> FindView:
    """Looks for what was typed."""
    known = (await installation.registry.load()).functions
    ids = await _by_id(installation, text.upper()) if re.match(ID_BEGINS, text) else []
    exact = ids[0].url if ids and is_id(text.upper()) else None
    return FindView(text, (*ids, *_functions(known, text), *_views(text), *_events(text)), exact)


def _views(text: str) -> Iterator[Hit]:
    for view in VIEWS:
        if text.lower() in view.label.lower():
            yield Hit("View", view.label, view.url)


def _functions(known: Iterable[str], text: str) -> list[Hit]:
    names = [name for name in sorted(known) if text and text.lower() in name.lower()]
    return [Hit("Function", name, f"/functions/{name}") for name in names[:MOST_FUNCTIONS]]


def _events(text: str) -> Iterator[Hit]:
    """Where to look on: names of events are not indexed by their beginnings."""
    if text and not is_id(text.upper()):
        yield Hit("Events", text, f"/events?{urlencode({'name': text})}", "events of this name")
        yield Hit("Runs", text, f"/runs?{urlencode({'event': text})}", "runs that an event of this name started")


async def _by_id(installation: Installation, id: str) -> list[Hit]:
    if len(id) < LEAST_OF_ID:
        return []
    page, event = await asyncio.gather(
        installation.history.runs(RunFilter(id=id), limit=MOST_RUNS),
        installation.history.event(id) if is_id(id) else _nothing(),
    )
    hits = [
        Hit("Run", found.run.id, f"/runs/{found.run.id}", found.run.function, tone.of_run(found.run))
        for found in page.items
    ]
    return [*hits, Hit("Event", event.id, f"/events/{event.id}", event.name)] if event else hits


async def _nothing() -> None:
    return None
