"""What an app answers to a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from stepwell.platform.codec import MalformedJSON, encode
from stepwell.platform.wire.given import decode_given
from stepwell.platform.wire.operations import BadReply, Operation, operations_of

SDK, VERSION, NO_RETRY, RETRY_AFTER = (
    "x-inngest-sdk",
    "x-inngest-req-version",
    "x-inngest-no-retry",
    "retry-after",
)
SHORTEST, LONGEST = 1_000, 86_400_000
"""Ms that an app may ask to wait before it is called again."""
UNKNOWN_KEY = 401
"""What an app answers that does not have the key with which a request to it is signed: it has executed nothing."""
AWAY = frozenset({429, 502, 503})
"""What is answered in the place of an app that is not there."""


class Away(Exception):
    """The app cannot be reached, or somebody answers in its place that it cannot; says how."""


class Broken(Away):
    """The connection broke while the app had the call; says how."""


@dataclass(frozen=True, slots=True)
class Output:
    """The function has returned; JSON."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    """What steps have done, or are to do."""

    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Raised:
    """The function has failed outside its steps."""

    error: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Args:
        said: what it says.
        version: of the way of execution that the app wants; -1 when it does not say.
        final: what has failed is not tried again.
        pause: ms after which the app wants to be called again; `None` when it does not say.
        apart: whether the app may have had steps recorded by itself meanwhile.
    """

    said: Output | Reported | Raised
    version: int = -1
    final: bool = False
    pause: int | None = None
    apart: bool = False


def reply_of(status: int, headers: Mapping[str, str], body: bytes, now: int) -> Reply:
    """Reads an answer that came at `now`, ms UTC; names of headers in small letters. Raises `Away`, `BadReply`."""
    if SDK not in headers:
        raise _stranger(status, headers, body)
    if status == 201:
        status, headers, body = _unwrapped(headers, body)
    return Reply(
        _said(status, body),
        _number(headers.get(VERSION)),
        headers.get(NO_RETRY, "").lower() == "true",
        pause_of(headers.get(RETRY_AFTER), now),
        # The Python SDK never does.
        not headers[SDK].startswith("inngest-py"),
    )


def pause_of(text: str | None, now: int) -> int | None:
    """Ms from `now` that a Retry-After asks for: seconds, or a moment as in RFC 3339 or RFC 9110."""
    if not text:
        return None
    try:
        asked = float(text) * 1000 if text.replace(".", "", 1).isdigit() else _moment(text) - now
    except (ValueError, OverflowError):
        return None
    return round(min(max(asked, SHORTEST), LONGEST))


def _moment(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = parsedate_to_datetime(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000


def _said(status: int, body: bytes) -> Output | Reported | Raised:
    if status == 206:
        return Reported(operations_of(_json(status, body)))
    if status == 200:
        return Output(body if body.strip() and _json(status, body) is not None else b"null")
    if 400 <= status < 600:
        return Raised(_error(status, body))
    raise BadReply(f"it answers {status}, which the SDK protocol does not know{_excerpt(body)}")


def _error(status: int, body: bytes) -> Any:
    try:
        error = decode_given(body)
    except MalformedJSON:
        error = None
    if isinstance(error, dict) and error.get("message"):  # pyright: ignore[reportUnknownMemberType]
        return cast("dict[str, Any]", error)
    return {"name": "Error", "message": f"the app answers {status}{_excerpt(body)}"}


def _unwrapped(headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """What comes behind the spaces that keep a connection open."""
    whole = _json(201, body.lstrip())
    if not isinstance(whole, dict):
        raise BadReply(f"what it streams is no JSON object{_excerpt(body.lstrip())}")
    told = cast("dict[str, Any]", whole)
    status, inner, content = told.get("status"), told.get("headers"), told.get("body")
    if not isinstance(status, int) or status == 201:
        raise BadReply(f"what it streams has no status{_excerpt(body.lstrip())}")
    named = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
    lower = {name.lower(): str(value) for name, value in named.items()}
    return status, {**headers, **lower}, content.encode() if isinstance(content, str) else encode(content)


def _stranger(status: int, headers: Mapping[str, str], body: bytes) -> Exception:
    if status == 504:
        return Broken("somebody answers 504 in the place of the app, which had the call")
    if status in AWAY:
        return Away(f"the app answers {status}")
    if 300 <= status < 400:
        where = headers.get("location", "nowhere")
        return BadReply(f"it redirects to {where[:200]}, which is not followed: add the app by the address it is at")
    what = headers.get("content-type", "").partition(";")[0][:80] or "nothing that says what it is"
    guess = "has it another signing key?" if status == UNKNOWN_KEY else "is this the address of the app?"
    return BadReply(f"it answers {status} with {what}, and not as an SDK does: {guess}{_excerpt(body)}")


def _json(status: int, body: bytes) -> Any:
    try:
        return decode_given(body)
    except MalformedJSON as error:
        raise BadReply(f"it answers {status} with what is no JSON ({error}){_excerpt(body)}") from None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:400].decode(errors="replace").split())
    return f": {text[:200]}" if text else ""


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 4 else -1
