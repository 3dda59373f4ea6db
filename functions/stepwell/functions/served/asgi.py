"""A served app as ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, Protocol

from stepwell.functions.served.executing import Gone
from stepwell.functions.served.reply import Answer, problem
from stepwell.functions.served.request import Request

LARGEST: Final = 256 << 20
"""Bytes of a request."""
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
PORTS: Final = {"http": 80, "https": 443}


class Answering(Protocol):
    """Answers requests."""

    async def __call__(self, request: Request, gone: Gone | None = None) -> Answer:
        """The answer to one."""
        ...


async def serve(answering: Answering, scope: Message, receive: Receive, send: Send) -> None:
    """Serves a connection."""
    if scope["type"] == "lifespan":
        return await _live(receive, send)
    if scope["type"] != "http":
        raise RuntimeError(f"functions are called over http, and not {scope['type']}")
    body = await _body(receive)
    if body is None:
        return None
    if len(body) > LARGEST:
        return await _send(send, problem(413, "TooLarge", f"a call has at most {LARGEST:,} bytes"))

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return await _send(send, await answering(_request(scope, body), gone))


async def _live(receive: Receive, send: Send) -> None:
    while True:
        what = (await receive())["type"]
        await send({"type": f"{what}.complete"})
        if what == "lifespan.shutdown":
            return


async def _body(receive: Receive) -> bytes | None:
    """All of it, or a little more than is allowed; None when the caller has hung up."""
    parts, size = list[bytes](), 0
    while size <= LARGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            break
    return b"".join(parts)


async def _send(send: Send, answer: Answer) -> None:
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    listed = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": listed})
    await send({"type": "http.response.body", "body": answer.body})


def _request(scope: Message, body: bytes) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client")
    return Request(scope["method"], _url(scope, headers), headers, body, client[0] if client else "")


def _url(scope: Message, headers: MutableMapping[str, str]) -> str:
    root, path = scope.get("root_path", ""), scope["path"]
    # Whether the path has the root in it depends on the version of who calls.
    whole = path if path.startswith(root) else f"{root}{path}"
    query = scope.get("query_string", b"").decode("latin-1")
    host = headers.get("host") or ":".join(str(part) for part in scope.get("server") or ("localhost",))
    return f"{scope.get('scheme', 'http')}://{host}{whole}{'?' if query else ''}{query}"
