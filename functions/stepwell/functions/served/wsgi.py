"""A served app as WSGI: requests wait in their threads, and handlers run in an event loop of their own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final
from wsgiref.util import request_uri

from stepwell.functions.served.asgi import LARGEST, Answering
from stepwell.functions.served.reply import Answer, problem
from stepwell.functions.served.request import Request

WsgiEnvironment = dict[str, Any]
PLAIN: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")


class Wsgi:
    """The WSGI application.

    Args:
        answering: answers requests, in the loop.
    """

    __slots__ = ("_answering", "_lock", "_loop", "_pid")

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0

    def __call__(self, environ: WsgiEnvironment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serves WSGI."""
        answer = self._answer(environ)
        phrase = HTTPStatus(answer.status).phrase
        headers = [*answer.headers.items(), ("content-length", str(len(answer.body)))]
        start_response(f"{answer.status} {phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: WsgiEnvironment) -> Answer:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        if size > LARGEST:
            return problem(413, "TooLarge", f"a call has at most {LARGEST:,} bytes")
        body: bytes = environ["wsgi.input"].read(size)
        headers = {_name(name): str(value) for name, value in environ.items() if name[:5] == "HTTP_" or name in PLAIN}
        peer = str(environ.get("REMOTE_ADDR") or "")
        request = Request(environ["REQUEST_METHOD"], request_uri(environ), headers, body, peer)
        return asyncio.run_coroutine_threadsafe(self._answering(request), self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._pid != os.getpid():  # threads do not come along when a process is forked
                self._pid = os.getpid()
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="stepwell-serve", daemon=True).start()
            return self._loop


def _name(name: str) -> str:
    return name.removeprefix("HTTP_").replace("_", "-").lower()
