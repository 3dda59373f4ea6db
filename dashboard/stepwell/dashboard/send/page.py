"""The form that sends an event."""

from collections.abc import Iterator

from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from stepwell.dashboard.address import Address, acting, reading
from stepwell.dashboard.asked import origin_of
from stepwell.dashboard.forms import MOST_BYTES, Form
from stepwell.dashboard.rendering import Renderer
from stepwell.dashboard.send.draft import Draft, Mistake
from stepwell.dashboard.send.view import send_view
from stepwell.platform.api.ingest import MAX_REQUEST
from stepwell.platform.api.operations import Query, parameters
from stepwell.platform.api.problems import not_found
from stepwell.platform.api.scopes import Scope, required
from stepwell.platform.installation import Installation

ENCODED = 3
"""Bytes that a browser makes of one at most."""


class SendQuery(Query):
    """What the fields are filled with: what is given, or the like of an event that came before."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = ""
    data: str = ""
    id: str = ""
    ts: str = ""
    origin: str = Field("", alias="from")


class SendPage:
    """`/events/send`."""

    def __init__(self, installation: Installation, renderer: Renderer) -> None:
        self._installation = installation
        self._renderer = renderer
        self._most = installation.settings.max_event_bytes

    def addresses(self) -> Iterator[Address]:
        """Where it is."""
        most = MOST_BYTES + ENCODED * min(self._most, MAX_REQUEST)
        yield reading("/events/send", self.show)
        yield acting("/events/send", self.send, most=most)

    async def show(self, request: Request) -> Response:
        """GET /events/send."""
        grant = required(request, Scope.OPERATE)
        query = parameters(request, SendQuery)
        draft = Draft.of(query.model_dump())
        if query.origin:
            event = await self._installation.history.event(query.origin)
            if event is None:
                raise not_found("event", query.origin)
            draft = Draft.like(event, seen=grant.payloads)
        hidden = bool(query.origin) and not grant.payloads
        view = await send_view(self._installation, draft, origin_of(request), origin=query.origin, hidden=hidden)
        return self._renderer.page(request, "send.html", view)

    async def send(self, request: Request, form: Form) -> Response:
        """POST /events/send: leads to the event; or back to the form, with what is wrong."""
        draft, ingest = Draft.of(form), self._installation.ingest
        try:
            event = draft.event(self._installation.clock.now(), self._most)
        except Mistake as mistake:
            view = await send_view(self._installation, draft, origin_of(request), mistake=mistake)
            return self._renderer.page(request, "send.html", view, 422)
        accepted = await ingest.accept_one(ingest.prepare(event))
        known = "?known=1" if accepted.runs is None else ""
        return RedirectResponse(f"/events/{accepted.id}{known}", 303)
