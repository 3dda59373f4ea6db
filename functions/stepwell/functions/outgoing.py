"""An event as a handler sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from stepwell.client import Event
from stepwell.functions.errors import InvalidValue
from stepwell.functions.received import ReceivedEvent

Outgoing = Event | ReceivedEvent | Mapping[str, Any]


def wire(event: Outgoing) -> dict[str, Any]:
    """The event as the journal takes it: name, data, and id and ts if it has them.

    Raises:
        InvalidValue: it is no event, has no name, or its data is no JSON.
    """
    given = _fields(event)
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidValue(f"an event to send has a name, such as 'order.placed': {given!r:.200}")
    try:
        data = to_jsonable_python(given.get("data", {}), inf_nan_mode="constants")
    except ValueError as error:
        raise InvalidValue(f"event {name!r} has data that is no JSON: {error}") from None
    # An empty id is none, as where events are taken in: the step then gives one, so that nothing is sent twice.
    optional = {key: given[key] for key in ("id", "ts") if given.get(key) not in (None, "")}
    return {"name": name, "data": data, **optional}


def _fields(event: Outgoing) -> Mapping[str, Any]:
    if isinstance(event, (Event, ReceivedEvent)):
        return {name: getattr(event, name) for name in ("name", "data", "id", "ts")}
    if not isinstance(event, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidValue(f"an event to send is an Event, or a mapping with name and data, not {event!r:.200}")
    return event
