"""An event as somebody types it, and what is wrong with it, at its field."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from stepwell.dashboard.typed import to_type
from stepwell.functions.durations import milliseconds
from stepwell.functions.errors import InvalidDuration
from stepwell.platform.codec import MalformedJSON, decode, encode
from stepwell.platform.incoming import BadEvent, IncomingEvent, parse_events
from stepwell.platform.records import EventRecord

FIELDS = ("name", "data", "id", "ts")


class Mistake(Exception):
    """Something is wrong with the `field` of a draft; `message` says what."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed, as it was typed. `data` is JSON; `ts` a time, or how long from now."""

    name: str = ""
    data: str = ""
    id: str = ""
    ts: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "Draft":
        """What is in the fields of a form, or of an address."""
        return cls(**{field: fields.get(field, "") for field in FIELDS})

    @classmethod
    def like(cls, event: EventRecord, *, seen: bool) -> "Draft":
        """The same as an event that came before, without its data unless that may be `seen`."""
        return cls(event.name, to_type(encode(event.data)) if seen else "")

    def event(self, now: int, most: int) -> IncomingEvent:
        """What to send, at `now` ms UTC, of at most `most` bytes. Raises `Mistake`."""
        fields = {"name": self.name, "id": self.id}
        head, ts = encode(fields)[:-1], moment(self.ts, now)
        try:
            # The data as it was typed: read and written again, what is nested too deep could not be told about.
            body = head + b',"ts":%d,"data":%b}' % (ts, _json(self.data).encode())
            return parse_events(body, most)[0]
        except BadEvent as error:
            raise _mistake(str(error)) from None


def moment(text: str, now: int) -> int:
    """A time in ms UTC, 0 when none was typed: in ISO 8601, in ms, or how long from `now`. Raises `Mistake`."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text[:19])
    try:
        return now + milliseconds(text) if text else 0
    except InvalidDuration:
        pass
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise Mistake(
            "ts", f"{text[:80]!r} is no time; write 2026-03-29T14:30Z, or 10m for ten minutes from now"
        ) from None


def _json(text: str) -> str:
    """JSON that was typed, of an object. Raises `Mistake`."""
    text = text if text.strip() else "{}"
    try:
        found = decode(text)
    except MalformedJSON as error:
        raise Mistake("data", f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not isinstance(found, dict):
        raise Mistake("data", 'the data of an event is an object, such as {"id": "A-1"}')
    return text


def _mistake(message: str) -> Mistake:
    message = message.removeprefix("event 1: ")
    field = message.partition(" ")[0]
    return Mistake(field if field in FIELDS else "data", message)
