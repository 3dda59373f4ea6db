"""What an HTTP answer of the server means: its JSON, or the error that belongs to it."""

from __future__ import annotations

from typing import Any, cast

import httpx2
import orjson

from stepwell.client.errors import ClientError, Unexpected, answered

QUOTED = 200


def content(response: httpx2.Response, url: str) -> Any:
    """The parsed JSON of a successful answer whose body has been read.

    Args:
        response: the answer.
        url: what was asked, for the message; without keys.

    Raises:
        Answered: the status is 400 or more.
        Unexpected: a redirect, a body that is not JSON, or a 404 of something else than Stepwell.
    """
    if response.is_error:
        raise _refusal(response, url)
    if not response.is_success:
        location = response.headers.get("location", "nowhere")
        raise Unexpected(url, f"answered {response.status_code} and points to {location}")
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        kind = response.headers.get("content-type", "no content type")
        raise Unexpected(url, f"answered {response.status_code} with {kind} that is not JSON") from None


def field(body: Any, name: str, url: str) -> Any:
    """`body[name]`; raises Unexpected when the body is not an object that has it."""
    if isinstance(body, dict) and name in body:
        return cast("dict[str, Any]", body)[name]
    raise Unexpected(url, f"answered with JSON that has no {name!r}")


def _refusal(response: httpx2.Response, url: str) -> ClientError:
    try:
        error = orjson.loads(response.content)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        if response.status_code == 404:
            return Unexpected(url, "answered 404 in words that are not Stepwell's")
        error = response.text[:QUOTED].strip() or response.reason_phrase
    code, message, hint = _parts(error)
    return answered(response.status_code, code, message, hint, _retry_after(response))


def _parts(error: Any) -> tuple[str, str, str]:
    if not isinstance(error, dict):
        return "", str(error), ""
    parts = cast("dict[str, Any]", error)
    return str(parts.get("code", "")), str(parts.get("message", "")), str(parts.get("hint") or "")


def _retry_after(response: httpx2.Response) -> float | None:
    # The form with a date is left to our own pauses: it would need this machine's clock to be right.
    seconds = response.headers.get("retry-after", "")
    return float(seconds) if seconds.isascii() and seconds.isdigit() else None
