"""The events that the workloads send: of the size of an order, some 300 bytes as JSON."""

from typing import Any

from stepwell.client import Event


def event(name: str, **data: Any) -> Event:
    """An event whose data holds, besides `data`, what an order would."""
    order = {
        "order": "A-10023",
        "customer": {"id": "c-8812", "email": "someone@example.org", "country": "DE"},
        "lines": [{"sku": "teapot-blue", "count": 1, "price": 24.9}, {"sku": "cup-white", "count": 4, "price": 3.5}],
        "total": 38.9,
        "currency": "EUR",
    }
    return Event(name, {**order, **data})


def events(count: int, name: str, **data: Any) -> list[Event]:
    """So many of them."""
    return [event(name, **data) for _ in range(count)]
