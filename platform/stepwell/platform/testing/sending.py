"""Sending events as a test writes them down."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel

from stepwell.client import Event
from stepwell.platform.codec import decode
from stepwell.platform.incoming import parse_events
from stepwell.platform.installation import Installation

Data = Mapping[str, Any] | BaseModel


def event_of(event: str | Event, data: Data | None, id: str | None, ts: int | None) -> Event:
    """The event that is meant. Raises `TypeError` or `ValueError` when it is none."""
    if isinstance(event, str):
        return Event(event, {} if data is None else data, id=id, ts=ts)
    if not (data is None and id is None and ts is None):
        raise TypeError(f"event {event.name!r} comes with its own data, id and ts: give them to Event(…)")
    return event


def event_data(data: Data) -> dict[str, Any]:
    """The data of an event as plain JSON. Raises `TypeError` or `ValueError` when it has none."""
    return cast("dict[str, Any]", decode(Event("data", data).encode(""))["data"])


async def send(installation: Installation, event: Event) -> str:
    """Hands an event in as the server does, and gives the id it is known by. Raises `BadEvent`."""
    parsed = parse_events(event.encode(event.id or ""), installation.settings.max_event_bytes)
    [accepted] = await installation.ingest.accept(parsed)
    return accepted
