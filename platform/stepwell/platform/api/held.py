"""Responses that are held open until there is something to say."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stepwell.platform.api.models.answer import Answer
from stepwell.platform.api.problems import Problem

SILENCE = 15.0
"""Seconds after which a held response carries a byte, so that nobody on the way takes it for dead."""


async def until_gone(receive: Receive) -> None:
    """Returns when the other side has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def first_of(*tasks: "asyncio.Future[Any]", timeout: float | None = None) -> "set[asyncio.Future[Any]]":
    """Those of the tasks that are done when the first is, or after `timeout` seconds."""
    done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    return done


async def drop(*tasks: "asyncio.Future[Any]") -> None:
    """Cancels the tasks and waits until they have ended; what they have to say is of no interest any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Held:
    """JSON that comes later, as an ASGI response.

    The status is sent with the answer, or with the first blank after `silence` seconds. When the server closes before
    there is an answer, it is a 503, or the response ends with nothing but blanks: then ask again.

    Args:
        answer: gives the body, or raises a `Problem`. It is cancelled when the other side hangs up.
        closing: set when the server is about to stop.
        silence: seconds between blanks.
    """

    def __init__(
        self, answer: Callable[[], Coroutine[Any, Any, Answer]], closing: asyncio.Event, silence: float = SILENCE
    ) -> None:
        self._answer = answer
        self._closing = closing
        self._silence = silence

    def without_payloads(self) -> "Held":
        """The same for those who may not see payloads."""

        async def answer() -> Answer:
            return (await self._answer()).without_payloads()

        return Held(answer, self._closing, self._silence)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        loop = asyncio.get_running_loop()
        answer = loop.create_task(self._answer())
        gone, closing = loop.create_task(until_gone(receive)), loop.create_task(self._closing.wait())
        begun = False
        try:
            while not (done := await first_of(answer, gone, closing, timeout=self._silence)):
                await (send_blank(send) if begun else begin(send))
                begun = True
            if gone not in done:
                end = end_begun if begun else end_at_once
                body = answer.result().model_dump_json().encode() if answer in done else None
                await end(body, scope, receive, send)
        finally:
            await drop(answer, gone, closing)


async def begin(send: Send) -> None:
    """Sends the status and a blank."""
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send_blank(send)


async def send_blank(send: Send) -> None:
    """Whitespace in front of JSON means nothing."""
    await send({"type": "http.response.body", "body": b" ", "more_body": True})


async def end_begun(body: bytes | None, _scope: Scope, _receive: Receive, send: Send) -> None:
    """Ends a response whose status is sent."""
    await send({"type": "http.response.body", "body": body or b"", "more_body": False})


async def end_at_once(body: bytes | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends a response whole."""
    if body is None:
        raise Problem(503, "closing", "the server is stopping", "Ask again", {"Retry-After": "1"})
    await Response(body, media_type="application/json")(scope, receive, send)
