"""Events: reading them, and what became of them."""

import asyncio
from collections.abc import Iterator

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp

from stepwell.platform.api import views
from stepwell.platform.api.endings import Endings
from stepwell.platform.api.held import Held
from stepwell.platform.api.models import Event, Item, Page, Run
from stepwell.platform.api.operations import NoQuery, Operation, Query, answer, parameters
from stepwell.platform.api.problems import Problem, not_found
from stepwell.platform.api.runs import WaitQuery
from stepwell.platform.history import History
from stepwell.platform.reading.pages import MOST_ITEMS, BadCursor
from stepwell.platform.records import EventRecord


class EventsQuery(Query):
    """Which events."""

    name: str | None = Field(default=None, max_length=512)
    limit: int = Field(default=50, ge=1, le=MOST_ITEMS, description="a page of large events ends early")
    cursor: str | None = Field(default=None, description="`next` of the page before")


class EventsApi:
    """Endpoints of `/api/v1/events`. `closing` is set when the server is about to stop."""

    def __init__(self, history: History, endings: Endings, closing: asyncio.Event) -> None:
        self._history = history
        self._endings = endings
        self._closing = closing

    def operations(self) -> Iterator[Operation]:
        """The rows of the route table."""
        events, event = "/api/v1/events", "/api/v1/events/{id}"
        yield Operation("GET", events, "list_events", "Events, newest first", self.page, Page[Event], EventsQuery)
        yield Operation("GET", event, "get_event", "One event", self.get, Item[Event], problems=(404,))
        about = "The runs that an event started"
        yield Operation("GET", f"{event}/runs", "list_event_runs", about, self.runs, Item[list[Run]], WaitQuery, (404,))

    async def page(self, request: Request) -> ASGIApp:
        """GET /events."""
        query = parameters(request, EventsQuery)
        try:
            page = await self._history.events(query.name, cursor=query.cursor, limit=query.limit)
        except BadCursor as error:
            raise Problem(400, "bad_cursor", str(error), "Leave it out to begin at the newest") from None
        return answer(Page[Event](data=[views.event(record) for record in page.items], next=page.next))

    async def get(self, request: Request) -> ASGIApp:
        """GET /events/{id}."""
        parameters(request, NoQuery)
        return answer(Item[Event](data=views.event(await self._event(request.path_params["id"]))))

    async def runs(self, request: Request) -> ASGIApp:
        """GET /events/{id}/runs."""
        wait = parameters(request, WaitQuery).wait
        event = await self._event(request.path_params["id"])
        if not wait:
            return answer(await self._runs(event))

        async def ended() -> Item[list[Run]] | None:
            return None if await self._history.unfinished(event) else await self._runs(event)

        async def body() -> bytes:
            return (await self._endings.await_end(event.id, ended)).model_dump_json().encode()

        return Held(body, self._closing)

    async def _runs(self, event: EventRecord) -> Item[list[Run]]:
        return Item[list[Run]](data=[views.run(view) for view in await self._history.event_runs(event)])

    async def _event(self, id: str) -> EventRecord:
        event = await self._history.event(id)
        if event is None:
            raise not_found("event", id)
        return event
