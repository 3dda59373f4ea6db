"""Events as they come in over HTTP: parsed and checked, whole or not at all."""

from typing import Any, NamedTuple, cast

from stepwell.platform.codec import MalformedJSON, UnencodableJSON, decode, encode

MAX_EVENTS = 5_000
MAX_NAME = 512
MAX_ID = 512
MAX_DEPTH = 250
"""Levels of an event; a few less than the JSON library can write."""
EARLIEST, LATEST = 315_532_800_000, 4_102_444_800_000
"""1980 and 2100 in ms UTC: a `ts` outside is a mistake of unit, not a time."""
RESERVED = "inngest/"


class BadEvent(Exception):
    """What a sender did wrong, in one line that names the event and the field."""

    status = 400


class EventTooLarge(BadEvent):
    """A request or an event over its limit."""

    status = 413


class IncomingEvent(NamedTuple):
    """A checked event. `sender_id` is the id its sender gave it, or empty; `ts` in ms UTC, 0 when not given.

    A named tuple because it is made for every event, at a third of the price of a frozen dataclass.
    """

    name: str
    data: dict[str, Any]
    sender_id: str
    ts: int


def parse_events(body: bytes, max_event: int) -> list[IncomingEvent]:
    """The events of a request: one object, or an array of up to 5,000, each of at most `max_event` bytes.

    Raises:
        BadEvent: the first mistake, as event number and field.
        EventTooLarge: too many events, or one that is too large.
    """
    try:
        parsed: Any = decode(body)
    except MalformedJSON as error:
        raise BadEvent(f"the body is not valid JSON: {error}") from None
    items: list[Any] = cast(Any, parsed) if isinstance(parsed, list) else [parsed]
    if not items:
        raise BadEvent("the body is an empty array; send at least one event")
    if len(items) > MAX_EVENTS:
        raise EventTooLarge(f"the body has {len(items):,} events; the most in one request are {MAX_EVENTS:,}")
    # What cannot be too large or too deep together cannot be so alone; measuring each costs as much as parsing it.
    measure = len(body) > max_event or body.count(b"{") + body.count(b"[") > MAX_DEPTH
    return [_parse_event(number, item, max_event if measure else 0) for number, item in enumerate(items, start=1)]


def parse_event(event: dict[str, Any], max_event: int = 0) -> IncomingEvent:
    """One event that is given elsewhere than in a request of its own; of at most `max_event` bytes, 0 for any number.

    Raises `BadEvent`, which names the field.
    """
    try:
        return _parse_event(1, event, max_event)
    except BadEvent as mistake:
        raise BadEvent(str(mistake).removeprefix("event 1: ")) from None


def _parse_event(number: int, item: Any, max_event: int) -> IncomingEvent:
    if not isinstance(item, dict):
        raise BadEvent(f"event {number}: is {_kind(item)}; it must be an object with a name and data")
    event = cast(dict[str, Any], item)
    if max_event and (size := _size(number, event)) > max_event:
        raise EventTooLarge(
            f"event {number}: has {size:,} bytes; the limit is {max_event:,} (setting STEPWELL_MAX_EVENT_BYTES)"
        )
    return IncomingEvent(_name(number, event), _data(number, event), _id(number, event), _ts(number, event))


def _is_deeper(value: Any, most: int) -> bool:
    """Whether there are objects or arrays inside each other more than `most` times."""
    level = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return any(isinstance(value, dict | list) for value in level)


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return list(cast(Any, value)) if isinstance(value, list) else []


def _size(number: int, event: dict[str, Any]) -> int:
    try:
        text = encode(event)
    except UnencodableJSON:
        # The only thing JSON can say that it cannot be given back.
        raise _too_deep(number) from None
    # What is deep is also long: few events have to be looked through.
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH and _is_deeper(event, MAX_DEPTH):
        raise _too_deep(number)
    return len(text)


def _too_deep(number: int) -> BadEvent:
    return BadEvent(f"event {number}: data is nested more than {MAX_DEPTH} levels deep")


def _name(number: int, event: dict[str, Any]) -> str:
    name = event.get("name")
    if not isinstance(name, str) or not name.strip():
        raise BadEvent(f"event {number}: name is {_kind(name)}; it must be a text that is not empty")
    size = len(name.encode())
    if size > MAX_NAME:
        raise BadEvent(f"event {number}: name has {size} bytes; the limit is {MAX_NAME}")
    if name.startswith(RESERVED):
        raise BadEvent(f"event {number}: name {name!r} begins with {RESERVED!r}, which is kept for the platform's own")
    return name


def _data(number: int, event: dict[str, Any]) -> dict[str, Any]:
    data = event.get("data")
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise BadEvent(f"event {number}: data is {_kind(data)}; it must be an object")
    return cast(dict[str, Any], data)


def _id(number: int, event: dict[str, Any]) -> str:
    given = event.get("id")
    if given is None or given == "":
        return ""
    if not isinstance(given, str):
        raise BadEvent(f"event {number}: id is {_kind(given)}; it must be a text")
    if len(given.encode()) > MAX_ID:
        raise BadEvent(f"event {number}: id has {len(given.encode())} bytes; the limit is {MAX_ID}")
    return given


def _ts(number: int, event: dict[str, Any]) -> int:
    ts = event.get("ts")
    if ts is None or ts == 0:
        return 0
    if not isinstance(ts, int) or isinstance(ts, bool):
        raise BadEvent(f"event {number}: ts is {_kind(ts)}; it must be a whole number of ms since 1970")
    if not EARLIEST <= ts <= LATEST:
        raise BadEvent(f"event {number}: ts {ts} is not between 1980 and 2100 in ms since 1970; is it in seconds?")
    return ts


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "a text" if value.strip() else "an empty text"
    names: dict[type, str] = {dict: "an object", list: "an array", bool: "a boolean"}
    return "missing" if value is None else names.get(cast(Any, type(value)), "a number")
