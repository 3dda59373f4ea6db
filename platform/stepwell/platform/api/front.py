"""The outermost layer of the server: what every request meets first, and every response passes last."""

import asyncio
from collections.abc import Mapping

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stepwell.platform.api.auth import SAFE, Access
from stepwell.platform.api.door import API, HEALTH, is_for_everybody, turned_away
from stepwell.platform.api.ingest import PREFIX, HungUp, IngestEndpoint
from stepwell.platform.api.operations import Endpoint
from stepwell.platform.api.problems import Problem, problem_of
from stepwell.platform.api.scopes import grant_to
from stepwell.platform.clock import Clock

ACCESS = "stepwell.access"
"""Where the `Access` of the server is, in the ASGI scope of a request."""
PROTECTION = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}
"""Headers of every response that does not set them itself."""


class Front:
    """The ASGI application of a server.

    Args:
        events: takes `/e/…`.
        fixed: endpoints by method and path, for paths in which nothing varies: these need no router.
        rest: takes everything else.
        access: who may do what.
        clock: tells which sessions are over.
        closing: set it when the server is about to stop, so that responses held open end.
    """

    def __init__(
        self,
        events: IngestEndpoint,
        fixed: Mapping[tuple[str, str], Endpoint],
        rest: ASGIApp,
        access: Access,
        clock: Clock,
        closing: asyncio.Event,
    ) -> None:
        self._events = events
        self._fixed = fixed
        self._rest = rest
        self._access = access
        self._clock = clock
        self.closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        match scope["type"]:
            case "http" if scope["path"].startswith(PREFIX):
                await self._events(scope, receive, send)
            case "http":
                await self._answer(scope, receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008})
            case _:
                await self._rest(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        protected = Protected(send)
        try:
            application = self._stopped(scope) or await self._application(scope, receive)
            await application(scope, receive, protected)
        except HungUp:
            return
        except Exception as error:
            problem = problem_of(error)
            if problem.status == 500 or protected.begun:
                path = scope["path"]
                structlog.get_logger("stepwell.api").exception("a request failed", path=path, exc_info=error)
            if not protected.begun:
                await problem.response()(scope, receive, protected)

    async def _application(self, scope: Scope, receive: Receive) -> ASGIApp:
        endpoint = self._fixed.get((scope["method"], scope["path"]))
        return await endpoint(Request(scope, receive)) if endpoint else self._rest

    def _stopped(self, scope: Scope) -> ASGIApp | None:
        """What is answered to those who may not come in; `None` when they may. Raises a `Problem`."""
        headers, path = dict(scope["headers"]), scope["path"]
        self._access.check_request(scope["method"], headers)
        # Nothing of health depends on who asks.
        grant = None if path.startswith(HEALTH) else self._access.identify(headers, self._clock.now())
        grant_to(scope, grant)
        scope[ACCESS] = self._access
        if grant is None:
            return None if is_for_everybody(path) else turned_away(scope, headers)
        if grant.signed_in and path.startswith(API) and scope["method"] not in SAFE:
            raise Problem(403, "session_reads", "a session only reads the API", "Send `Authorization: Bearer KEY`")
        return None


class Protected:
    """A `send` that adds the headers a response should have."""

    __slots__ = ("_send", "begun")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        """Sends on."""
        if message["type"] == "http.response.start":
            self.begun = True
            headers = list(message.get("headers", ()))
            given = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in PROTECTION.items() if name not in given]
            message = {**message, "headers": headers}
        await self._send(message)
