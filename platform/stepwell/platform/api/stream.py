"""`/api/v1/stream`: changes of runs as Server-Sent Events.

`refetch` comes first, and again whenever changes may have been missed: read what is shown anew. `runs` then says which
runs have changed, as `[{"id", "status"}, …]`. In a stream of one run, `said` says that its code has logged something or
has come further, as `{"id"}`. Each has an id: a stream that is opened again with it as `Last-Event-ID` goes on behind
it, without `refetch`, as long as the same process knows what came since; a stream of one run then says `said`, for that
is not remembered. The format is that of
https://html.spec.whatwg.org/multipage/server-sent-events.html.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping

from pydantic import Field
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from stepwell.platform.api.feed import Feed, Watcher
from stepwell.platform.api.held import SILENCE, drop, first_of, until_gone
from stepwell.platform.api.operations import Operation, Query, parameters
from stepwell.platform.codec import encode
from stepwell.platform.history import History
from stepwell.platform.records import Status

REMEMBERED = 10_000
PARTING = 1.0
"""Seconds in which a watcher that is to be dropped may still take the end of the response."""


class StreamQuery(Query):
    """Whose changes."""

    run: str | None = Field(default=None, max_length=26, description="of this run only")
    function: str | None = Field(
        default=None, max_length=129, description="of the runs of this function, as app/function"
    )
    status: Status | None = Field(default=None, description="only those that have come to this status")


class StreamApi:
    """The endpoint. `closing` is set when the server is about to stop."""

    def __init__(self, feed: Feed, history: History, closing: asyncio.Event) -> None:
        self._feed = feed
        self._functions = Functions(history)
        self._closing = closing

    def operations(self) -> Iterator[Operation]:
        """The row of the route table."""
        yield Operation("GET", "/api/v1/stream", "stream", "Changes of runs, live", self.stream, None, StreamQuery)

    async def stream(self, request: Request) -> ASGIApp:
        """GET /stream."""
        wanted, after = parameters(request, StreamQuery), request.headers.get("last-event-id", "")
        return Stream(self._feed, self._functions, wanted, self._closing, after=after)


class Functions:
    """Whose run it is, remembered."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._known: dict[str, str] = {}

    async def only(self, function: str, changes: Mapping[str, str]) -> dict[str, str]:
        """The changes of runs of one function."""
        unknown = changes.keys() - self._known.keys()
        if len(self._known) + len(unknown) > REMEMBERED:
            self._known.clear()
            unknown = set(changes)
        self._known.update(await self._history.functions_of(unknown))
        return {run: status for run, status in changes.items() if self._known.get(run) == function}


class Stream:
    """An endless response, as ASGI: it ends when the other side hangs up or is too slow, or the server closes.

    `after` is the id of what was heard last.
    """

    def __init__(
        self,
        feed: Feed,
        functions: Functions,
        wanted: StreamQuery,
        closing: asyncio.Event,
        silence: float = SILENCE,
        after: str = "",
    ) -> None:
        self._feed = feed
        self._functions = functions
        self._wanted = wanted
        self._closing = closing
        self._silence = silence
        self._after = after

    def without_payloads(self) -> "Stream":
        """Itself: ids and statuses are all it tells."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with self._feed.watch(self._wanted.run, self._after) as watcher:
            loop = asyncio.get_running_loop()
            speaking = loop.create_task(self._speak(watcher, send))
            gone, lost = loop.create_task(until_gone(receive)), loop.create_task(watcher.lost.wait())
            closing = loop.create_task(self._closing.wait())
            try:
                done = await first_of(speaking, gone, lost, closing)
            finally:
                await drop(speaking, gone, lost, closing)
        if speaking in done:
            speaking.result()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PARTING):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _speak(self, watcher: Watcher, send: Send) -> None:
        while True:
            try:
                async with asyncio.timeout(self._silence):
                    changes = await watcher.next()
            except TimeoutError:
                text = b": still here\n\n"
            else:
                id = b"id: " + watcher.position.encode() + b"\n"
                text = id + b"event: refetch\ndata: {}\n\n" if changes is None else await self._text(id, changes)
                if watcher.heard():
                    text += id + b"event: said\ndata: " + encode({"id": self._wanted.run}) + b"\n\n"
            if text:
                await send({"type": "http.response.body", "body": text, "more_body": True})

    async def _text(self, id: bytes, changes: Mapping[str, str]) -> bytes:
        if self._wanted.run:
            changes = {run: status for run, status in changes.items() if run == self._wanted.run}
        if self._wanted.function:
            changes = await self._functions.only(self._wanted.function, changes)
        wanted = self._wanted.status
        runs = [{"id": run, "status": status} for run, status in changes.items() if wanted in (None, status)]
        return id + b"event: runs\ndata: " + encode(runs) + b"\n\n" if runs else b""
