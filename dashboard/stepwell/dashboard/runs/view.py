"""What the list of runs shows."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from stepwell.dashboard.runs.query import SPAN_LABELS, RunsQuery
from stepwell.dashboard.runs.teaching import Lesson, lesson
from stepwell.dashboard.wording import tone
from stepwell.dashboard.wording.failures import error_line
from stepwell.dashboard.wording.lengths import Length, executing
from stepwell.dashboard.wording.moments import Moment, past
from stepwell.dashboard.wording.tone import Tone
from stepwell.platform.expressions import ExpressionError
from stepwell.platform.installation import Installation
from stepwell.platform.reading.counts import Counts
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.pages import Page
from stepwell.platform.reading.runs import RunSummary
from stepwell.platform.records import Status

MOST_SUGGESTIONS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A run in the list."""

    id: str
    tone: Tone
    function: str
    event: str | None
    created: Moment
    length: Length | None
    attempts: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Tab:
    """One status to pick. `count` is empty when it is not known for the chosen filters."""

    label: str
    url: str
    chosen: bool
    count: str
    tone: Tone | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a menu."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Search:
    """How many runs an expression was asked of for this page, of how many; of some it could not be told."""

    searched: int
    total: int
    undecided: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with an expression: the part before the mistake, and the part from there on."""

    message: str
    column: int
    before: str
    rest: str


@dataclass(frozen=True, slots=True)
class RunsView:
    """The page. `older` and `newest` are addresses, where there is anything; `lesson` is there when no run is.

    `mistake`: what is wrong with the expression; then nothing was looked for. `search`: how far was looked.
    `request`: under which the marked runs are done again, once.
    """

    query: RunsQuery
    tabs: tuple[Tab, ...]
    functions: tuple[str, ...]
    apps: tuple[str, ...]
    spans: tuple[Choice, ...]
    rows: tuple[Row, ...]
    older: str | None
    newest: str | None
    clear: str
    lesson: Lesson | None
    search: Search | None
    mistake: Mistake | None
    request: str


async def runs_view(installation: Installation, query: RunsQuery, origin: str, *, dev: bool) -> RunsView:
    """Reads one page of runs for who asked for it at `origin`. Raises `BadCursor`."""
    now = installation.clock.now()
    wanted, mistake = _understood(query, now)
    page, counts, registry = await asyncio.gather(
        _page(installation, wanted, query.cursor),
        _counts(installation, query),
        installation.registry.load(),
    )
    bare = not (page.items or page.next or query.filtered or query.cursor)
    return RunsView(
        query=query,
        tabs=_tabs(query, counts),
        functions=_suggestions(registry.functions),
        apps=_suggestions(registry.apps),
        spans=tuple(Choice(span, label, span is query.within) for span, label in SPAN_LABELS.items()),
        rows=tuple(_row(summary, now) for summary in page.items),
        older=query.url(cursor=page.next) if page.next else None,
        newest=query.url() if query.cursor else None,
        clear=query.url(function=None, app=None, event=None, within=None, after=None, before=None, q=None),
        lesson=lesson(registry.functions, origin, dev=dev) if bare else None,
        search=Search(page.searched, page.total, page.undecided) if wanted and query.q else None,
        mistake=mistake,
        request=uuid4().hex,
    )


def _understood(query: RunsQuery, now: int) -> tuple[RunFilter | None, Mistake | None]:
    """The filter, or why it is none."""
    try:
        return query.filter(now), None
    except ExpressionError as error:
        text, place = query.q or "", error.column - 1
        return None, Mistake(error.message, error.column, text[:place], text[place:])


async def _page(installation: Installation, wanted: RunFilter | None, cursor: str | None) -> Page[RunSummary]:
    return await installation.history.runs(wanted, cursor=cursor) if wanted else Page((), None)


def _suggestions(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names)[:MOST_SUGGESTIONS])


async def _counts(installation: Installation, query: RunsQuery) -> Counts | None:
    """Nobody counts the runs that a filter holds for: they would all have to be looked at."""
    return None if query.narrowed else await installation.history.counts()


def _tabs(query: RunsQuery, counts: Counts | None) -> tuple[Tab, ...]:
    known = _known(counts) if counts else {}
    everything = Tab("All", query.url(status=None), query.status is None, known.get(None, ""), None)
    return everything, *[_tab(query, status, known.get(status, "")) for status in Status]


def _tab(query: RunsQuery, status: Status, count: str) -> Tab:
    shown = tone.of_status(status)
    return Tab(shown.label, query.url(status=status.value), query.status is status, count, shown)


def _known(counts: Counts) -> dict[Status | None, str]:
    every = counts.unfinished + counts.completed + counts.failed + counts.cancelled
    figures: dict[Status | None, int | None] = {
        None: every,
        Status.QUEUED: counts.queued,
        Status.RUNNING: counts.running,
        Status.WAITING: counts.waiting,
        Status.COMPLETED: counts.completed,
        Status.FAILED: counts.failed,
        Status.CANCELLED: counts.cancelled,
    }
    return {status: f"{figure:,}" for status, figure in figures.items() if figure is not None}


def _row(summary: RunSummary, now: int) -> Row:
    run = summary.run
    return Row(
        id=run.id,
        tone=tone.of_run(run),
        function=run.function,
        event=summary.event_name,
        created=past(summary.created, now),
        length=executing(run, now),
        attempts=run.attempt + 1 if run.started else None,
        error=error_line(run),
    )
