"""`POST /e/{key}`: the way in for events, in front of the framework because every microsecond counts here."""

import asyncio
from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

import structlog
from starlette.types import Receive, Scope, Send

from stepwell.platform.api.auth import Access, Headers
from stepwell.platform.api.problems import Problem, problem_of
from stepwell.platform.codec import encode
from stepwell.platform.incoming import BadEvent, IncomingEvent, parse_events
from stepwell.platform.ingest import Ingest
from stepwell.platform.wire.seeds import HEADER, seeded

PREFIX = "/e/"
MAX_REQUEST = 16 << 20
"""Bytes of one request."""
PATIENCE = 30.0
"""Seconds in which the body has to arrive."""
KEY = "Senders take theirs from STEPWELL_EVENT_KEY, other SDKs from INNGEST_EVENT_KEY"
TOO_SLOW = "the body is too slow"
JSON_TYPE = (b"content-type", b"application/json")
NO_SNIFF = (b"x-content-type-options", b"nosniff")
CLOSE = {"Connection": "close"}


class HungUp(Exception):
    """The sender has gone before it had sent everything."""


class IngestEndpoint:
    """An ASGI application for paths that begin with `/e/`.

    Args:
        ingest: accepts events.
        access: knows the event keys.
        max_event: bytes of one event.
    """

    def __init__(self, ingest: Ingest, access: Access, max_event: int) -> None:
        self._ingest = ingest
        self._access = access
        self._max_event = max_event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers `{"ids": [...], "status": 200}`, or with an `error` and the status it has."""
        try:
            events = await self._events(scope, dict(scope["headers"]), receive)
            ids = await self._ingest.accept(events)
        except HungUp:
            return
        except Exception as error:
            await respond(send, *_refusal(error))
        else:
            await respond(send, 200, encode({"ids": ids, "status": 200}))

    async def _events(self, scope: Scope, headers: Headers, receive: Receive) -> list[IncomingEvent]:
        self._access.check_request(scope["method"], headers)
        if scope["method"] != "POST":
            allowed = {"Allow": "POST"}
            raise Problem(405, "method_not_allowed", f"events are sent by POST, not by {scope['method']}", "", allowed)
        if not self._access.allows_events(scope["path"][len(PREFIX) :]):
            raise Problem(401, "unauthorized", "the event key in the path is not known to this server", KEY)
        events = parse_events(await read_body(headers, receive), self._max_event)
        return named(events, headers[HEADER]) if HEADER in headers else events


def named(events: Iterable[IncomingEvent], seed: bytes) -> list[IncomingEvent]:
    """The same events; those without an id have one by the seed, if it is one."""
    ids = chain(seeded(seed), repeat(""))
    return [event if event.sender_id else event._replace(sender_id=id) for event, id in zip(events, ids, strict=False)]


async def read_body(headers: Headers, receive: Receive) -> bytes:
    """The body of a request. Raises a `Problem` when it is too large, too slow or not as announced; `HungUp`."""
    announced = _announced(headers)
    body = await _read_in_time(receive)
    if announced not in (-1, len(body)):
        message = f"content-length says {announced} bytes, the body has {len(body)}"
        raise Problem(400, "wrong_length", message, "", CLOSE)
    return body


def _announced(headers: Headers) -> int:
    """What content-length says; -1 when it says nothing."""
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding != b"identity":
        raise Problem(415, "encoded", f"the body is encoded as {encoding.decode('latin-1')[:40]!r}; send it as it is")
    given = headers.get(b"content-length")
    if given is None:
        return -1
    if not given.isdigit():
        raise Problem(
            400, "wrong_length", f"content-length is {given.decode('latin-1')[:40]!r}, not a number", "", CLOSE
        )
    if len(given) > 18 or int(given) > MAX_REQUEST:
        raise _too_large()
    return int(given)


async def _read_in_time(receive: Receive) -> bytes:
    # What asyncio.timeout does, at a third of its price, which would be a tenth of that of a request.
    task = asyncio.current_task()
    assert task
    timer = asyncio.get_running_loop().call_later(PATIENCE, task.cancel, TOO_SLOW)
    try:
        return await _read(receive)
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (TOO_SLOW,) or task.uncancel():
            raise
        raise Problem(408, "too_slow", f"the body did not arrive within {PATIENCE:g} s", "", CLOSE) from None
    finally:
        timer.cancel()


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        body, more = _part(await receive())
        parts.append(body)
        size += len(body)
        if size > MAX_REQUEST:
            raise _too_large()
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _part(message: Any) -> tuple[bytes, bool]:
    if message["type"] != "http.request":
        raise HungUp
    return message.get("body", b""), message.get("more_body", False)


def _too_large() -> Problem:
    return Problem(
        413, "too_large", f"the request has more than {MAX_REQUEST:,} bytes; send fewer events at once", "", CLOSE
    )


def _refusal(error: Exception) -> tuple[int, bytes, Iterable[tuple[bytes, bytes]]]:
    """Status, body and further headers. What is said is one line, and what to do follows it in brackets."""
    if isinstance(error, BadEvent):
        return error.status, _body(error.status, str(error)), ()
    problem = problem_of(error)
    if problem.status == 500:
        structlog.get_logger("stepwell.api").exception("events could not be accepted", exc_info=error)
    text = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    return problem.status, _body(problem.status, text), headers


def _body(status: int, text: str) -> bytes:
    return encode({"ids": [], "status": status, "error": " ".join(text.splitlines())})


async def respond(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """Sends a whole response."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [JSON_TYPE, length, NO_SNIFF, *headers]})
    await send({"type": "http.response.body", "body": body})
