"""An app that is part of a web application, which the server calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from typing import Any, Final, cast
from urllib.parse import urlsplit

from stepwell.client.errors import ClientError
from stepwell.functions.app import App
from stepwell.functions.replay import Threads
from stepwell.functions.served import asgi
from stepwell.functions.served.call import BadCall, call_of
from stepwell.functions.served.door import Door, Refused, Repeated, parsed
from stepwell.functions.served.environment import Environment
from stepwell.functions.served.executing import Gone, execute
from stepwell.functions.served.link import Link, Server
from stepwell.functions.served.registration import in_band, introspection, registration, sdk, slug
from stepwell.functions.served.reply import Answer, problem
from stepwell.functions.served.request import Request
from stepwell.functions.served.words import SDK, SYNC, text
from stepwell.functions.served.wsgi import Wsgi, WsgiEnvironment

UNSIGNED: Final = frozenset({401, 409})
"""Answers to requests that were not let in."""


class Served:
    """The functions of an app as an ASGI application, to be mounted anywhere in another one; see `App.serve`.

    Args:
        app: whose functions they are.
        environment: where the server is, and the keys.
        url: where the server reaches this; `None` for where it is asked.
        server: asks the server.
    """

    def __init__(self, app: App, environment: Environment, url: str | None, server: Server | None = None) -> None:
        self._app = app
        self._environment = environment
        self._url = url
        self._server = server or Link(environment)
        self._door = Door(environment.keys)
        self._threads = Threads()
        self.wsgi: Callable[[WsgiEnvironment, Any], Iterable[bytes]] = Wsgi(self.answer)
        """The same as a WSGI application."""

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serves ASGI."""
        await asgi.serve(self.answer, scope, receive, send)

    async def answer(self, request: Request, gone: Gone | None = None) -> Answer:
        """Answers a request, whichever framework it came through."""
        answer = await self._answered(request, gone or _never)
        # What anybody gets is not signed: it could come back as a request.
        signs = request.method in ("POST", "PUT") and answer.status not in UNSIGNED
        headers = {
            "content-type": "application/json",
            "cache-control": "no-store",
            SDK: sdk(),
            **(self._door.sign(answer.body) if signs else {}),
            **answer.headers,
        }
        return replace(answer, headers=headers)

    async def _answered(self, request: Request, gone: Gone) -> Answer:
        try:
            match request.method:
                case "POST":
                    self._door.check(request, once=True)
                    return await self._call(request, gone)
                case "PUT":
                    self._door.check(request, once=False)
                    return await self._register(request)
                case "GET" | "HEAD":
                    return Answer(200, text(introspection(self._app, self._environment.mode)))
                case other:
                    return problem(405, "MethodNotAllowed", f"{other[:20]} is not served here: GET, PUT and POST are")
        except Repeated as repeated:
            return problem(409, "Repeated", str(repeated))
        except Refused as refused:
            return problem(401, "Unauthorized", str(refused))

    async def _call(self, request: Request, gone: Gone) -> Answer:
        named = {slug(one): one for one in self._app.functions.values()}
        function = named.get(request.function)
        if function is None:
            # It may be known to another instance of this application, or after a deploy.
            return problem(500, "UnknownFunction", f"app {self._app.id!r} has no function {request.function[:200]!r}")
        try:
            call = call_of(parsed(request.body))
        except BadCall as bad:
            return problem(500, "BadCall", str(bad))
        if call.start.function_id != function.name:
            return problem(400, "BadCall", f"a call of {call.start.function_id[:200]!r} was sent to {function.name!r}")
        return await execute(call, function, self._server, self._threads, gone)

    async def _register(self, request: Request) -> Answer:
        # With a key, only what was signed says where this is: not the name of a host, which anybody may write.
        url = self._url or _asked(request) or ("" if self._environment.keys.current else request.place)
        if not url:
            return problem(400, "NoAddress", 'the body does not say where this app is served: {"url": "https://…"}')
        if request.headers.get(SYNC) == "in_band" and self._environment.keys.current:
            return Answer(200, text(in_band(self._app, url)), {SYNC: "in_band"})
        try:
            told = await self._server.post("/fn/register", text(registration(self._app, url)))
        except ClientError as error:
            return problem(500, type(error).__name__, str(error))
        modified = isinstance(told, dict) and bool(cast("dict[str, Any]", told).get("modified"))
        return Answer(200, text({"message": "registered", "modified": modified}), {SYNC: "out_of_band"})


def _asked(request: Request) -> str | None:
    """The address by which the server knows this app."""
    body = parsed(request.body)
    url = cast("dict[str, Any]", body).get("url") if isinstance(body, dict) else None
    return url if isinstance(url, str) and urlsplit(url).scheme in ("http", "https") else None


async def _never() -> None:
    await asyncio.get_running_loop().create_future()
