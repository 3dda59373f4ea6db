"""What an HTTP answer of the server means: its JSON, or the error that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson

from stepwell.client.errors import ClientError, Unexpected, answered

QUOTED = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer whose body has been read; `headers` finds a name in any case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def content(answer: Answer, url: str) -> Any:
    """The parsed JSON of a successful answer.

    Args:
        answer: the answer.
        url: what was asked, for the message; without keys.

    Raises:
        Answered: the status is 400 or more.
        Unexpected: a redirect, a body that is not JSON, or a 404 of something else than Stepwell.
    """
    if answer.status >= 400:
        raise _refusal(answer, url)
    if not 200 <= answer.status < 300:
        location = answer.headers.get("location", "nowhere")
        raise Unexpected(url, f"answered {answer.status} and points to {location}")
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        kind = answer.headers.get("content-type", "no content type")
        raise Unexpected(url, f"answered {answer.status} with {kind} that is not JSON") from None


def field(body: Any, name: str, url: str) -> Any:
    """`body[name]`; raises Unexpected when the body is not an object that has it."""
    if isinstance(body, dict) and name in body:
        return cast("dict[str, Any]", body)[name]
    raise Unexpected(url, f"answered with JSON that has no {name!r}")


def _refusal(answer: Answer, url: str) -> ClientError:
    try:
        error = orjson.loads(answer.body)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        if answer.status == 404:
            return Unexpected(url, "answered 404 in words that are not Stepwell's")
        error = answer.body.decode(errors="replace")[:QUOTED].strip() or answer.reason
    code, message, hint = _parts(error)
    return answered(answer.status, code, message, hint, _retry_after(answer))


def _parts(error: Any) -> tuple[str, str, str]:
    if not isinstance(error, dict):
        return "", str(error), ""
    parts = cast("dict[str, Any]", error)
    return str(parts.get("code", "")), str(parts.get("message", "")), str(parts.get("hint") or "")


def _retry_after(answer: Answer) -> float | None:
    # The form with a date is left to our own pauses: it would need this machine's clock to be right.
    seconds = answer.headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None
