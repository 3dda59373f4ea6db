"""Events: reading them, and what became of them."""

import asyncio
from collections.abc import Iterator, Sequence

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api.endings import Endings, News
from stepwell.platform.api.held import Held
from stepwell.platform.api.ingest import read_body
from stepwell.platform.api.models.answer import Found, Item
from stepwell.platform.api.models.event import Event, Sent
from stepwell.platform.api.models.run import Run
from stepwell.platform.api.operations import NoQuery, Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.runs import WaitQuery
from stepwell.platform.api.scopes import Scope
from stepwell.platform.api.searching import check_search, found, q, searched, understood
from stepwell.platform.api.views import event as event_views
from stepwell.platform.api.views import run as run_views
from stepwell.platform.history import History
from stepwell.platform.incoming import BadEvent, IncomingEvent, parse_events
from stepwell.platform.ingest import Entry, Ingest
from stepwell.platform.reading.pages import MOST_ITEMS
from stepwell.platform.reading.where import where_of_event
from stepwell.platform.records import EventRecord
from stepwell.platform.registry import Registry

SEND_MAY = (408, 413, 415)


class EventsQuery(Query):
    """Which events."""

    name: str | None = Field(default=None, max_length=512)
    q: str | None = q('event.data.id == "o-17"')
    limit: int = Field(default=50, ge=1, le=MOST_ITEMS, description="a page of large events ends early")
    cursor: str | None = Field(default=None, description="`next` of the page before")


class EventsApi:
    """Endpoints of `/api/v1/events`.

    Args:
        history: reads.
        ingest: accepts events.
        registry: knows the functions.
        max_event: bytes of one event.
        endings: tells when runs have ended.
        closing: set when the server is about to stop.
    """

    def __init__(
        self,
        history: History,
        ingest: Ingest,
        registry: Registry,
        max_event: int,
        endings: Endings,
        closing: asyncio.Event,
    ) -> None:
        self._history = history
        self._ingest = ingest
        self._registry = registry
        self._max_event = max_event
        self._endings = endings
        self._closing = closing

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        events, event = "/api/v1/events", "/api/v1/events/{id}"
        yield Operation("GET", events, "list_events", "Events, newest first", self.page, Found[Event], EventsQuery)
        send = "Accept events; with `wait`, one of them, and answer when the runs it started have ended"
        yield Operation(
            "POST", events, "post_events", send, self.send, Item[Sent], WaitQuery, SEND_MAY, True, needs=Scope.OPERATE
        )
        yield Operation("GET", event, "get_event", "One event", self.get, Item[Event], problems=(404,))
        about = "The runs that an event started"
        yield Operation("GET", f"{event}/runs", "list_event_runs", about, self.runs, Item[list[Run]], WaitQuery, (404,))

    async def page(self, request: Request) -> ASGIApp:
        """GET /events."""
        query = parameters(request, EventsQuery)
        check_search(request, query.q)
        where = understood(query.q, where_of_event, "event")
        page = await searched(self._history.events(query.name, where=where, cursor=query.cursor, limit=query.limit))
        return answer(found([event_views.event(record) for record in page.items], page))

    async def get(self, request: Request) -> ASGIApp:
        """GET /events/{id}."""
        parameters(request, NoQuery)
        event = await self._event(request.path_params["id"])
        return answer(Item[Event](data=event_views.event_judged(event, await self._registry.load())))

    async def runs(self, request: Request) -> ASGIApp:
        """GET /events/{id}/runs."""
        wait = parameters(request, WaitQuery).wait
        event = await self._event(request.path_params["id"])
        if not wait:
            return answer(await self._runs(event))

        async def body() -> Item[list[Run]]:
            return Item[list[Run]](data=await self._ended(event))

        return Held(body, self._closing)

    async def send(self, request: Request) -> ASGIApp:
        """POST /events."""
        wait = parameters(request, WaitQuery).wait
        events = await self._incoming(request)
        if wait and len(events) != 1:
            message = f"the body has {len(events)} events, and only one can be waited for"
            raise Problem(400, "invalid_event", message, "Send them one by one, or without wait")
        if not wait:
            return answer(Item[Sent](data=Sent(ids=await self._ingest.accept(events), runs=None)))

        async def body() -> Item[Sent]:
            return Item[Sent](data=await self._send_and_wait(events[0]))

        return Held(body, self._closing)

    async def _send_and_wait(self, event: IncomingEvent) -> Sent:
        entry = self._ingest.prepare(event)
        # Heard from before it is sent, no end can be missed, and nobody has to look whether there was one.
        with self._endings.listening(entry.id) as news:
            accepted = await self._ingest.accept_one(entry)
            if accepted.runs is None:
                runs = await self._ended(await self._event(accepted.id))
            elif accepted.runs:
                runs = await self._started(entry, accepted.runs, news)
            else:
                runs = []
        return Sent(ids=[accepted.id], runs=runs)

    async def _started(self, entry: Entry, runs: Sequence[str], news: News) -> list[Run]:
        """The runs that an event has just started, once all of them have ended."""
        # The run of a debounce may end as that of a later event, so it is listened to by itself as well.
        with self._endings.listening(*runs, news=news):
            found = await news.until(lambda: self._history.ended_runs(entry.id, entry.event.name, runs, news.told))
        if len(found) < len(runs):
            # Some were not created; maybe because the event has become part of others.
            event = await self._event(entry.id)
            if event.runs != tuple(runs):
                return await self._ended(event)
        return [run_views.run(view) for view in found]

    async def _incoming(self, request: Request) -> list[IncomingEvent]:
        try:
            return parse_events(await read_body(dict(request.scope["headers"]), request.receive), self._max_event)
        except BadEvent as error:
            raise Problem(error.status, "invalid_event", str(error), "Nothing of the request was accepted") from None

    async def _ended(self, event: EventRecord) -> list[Run]:
        """The runs of an event, once all of them have ended."""
        found = await self._endings.await_end(
            (event.id, *event.runs), lambda: self._history.ended_runs(event.id, event.name, event.runs)
        )
        return [run_views.run(view) for view in found]

    async def _runs(self, event: EventRecord) -> Item[list[Run]]:
        return Item[list[Run]](data=[run_views.run(view) for view in await self._history.event_runs(event)])

    async def _event(self, id: str) -> EventRecord:
        event = await self._history.event(id)
        if event is None:
            raise not_found("event", id)
        return event
