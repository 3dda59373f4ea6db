"""What an application may put into an event, and what it is told otherwise."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest
from pydantic import BaseModel

from stepwell.client import Event


class Order(BaseModel):
    id: str
    total: float


def encoded(event: Event) -> Any:
    return json.loads(event.encode("01"))


def test_an_event_carries_its_name_data_id_and_time() -> None:
    event = Event("order.placed", {"id": "A-1"}, id="A-1", ts=1_700_000_000_000)
    assert encoded(event) == {"name": "order.placed", "data": {"id": "A-1"}, "id": "01", "ts": 1_700_000_000_000}


def test_time_is_left_to_the_server_unless_given() -> None:
    assert "ts" not in encoded(Event("order.placed"))


def test_data_may_be_a_model_or_hold_one_and_the_usual_values() -> None:
    assert encoded(Event("order.placed", Order(id="A-1", total=2)))["data"] == {"id": "A-1", "total": 2.0}
    data = {
        "order": Order(id="A-1", total=2),
        "price": Decimal("1.10"),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "ref": UUID(int=1),
        "gift": None,
    }
    assert encoded(Event("order.placed", data))["data"] == {
        "order": {"id": "A-1", "total": 2.0},
        "price": "1.10",
        "at": "2026-01-02T00:00:00+00:00",
        "ref": "00000000-0000-0000-0000-000000000001",
        "gift": None,
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"x": {"y": [1.0, float("nan")]}}, "data.x.y.1 is NaN or infinite"),
        (Order(id="A-1", total=float("inf")), "data.total is NaN or infinite"),
        ({"x": object()}, "Unable to serialize unknown type: <class 'object'>"),
        ({"x": 2**70}, "Integer exceeds 64-bit range"),
        ({1: "x"}, "Dict key must be str"),
    ],
)
def test_data_that_json_cannot_carry_unchanged_is_refused_by_name(data: Any, words: str) -> None:
    with pytest.raises(ValueError, match=r"^event 'order\.placed'") as refusal:
        Event("order.placed", data).encode("01")
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": ""}, "1 to 512 bytes, not 0"),
        ({"name": "é" * 257}, "1 to 512 bytes, not 514"),
        ({"name": 7}, "name is a str, not 7"),
        ({"name": "a", "data": [1]}, "data is a dict or a pydantic model, not <class 'list'>"),
        ({"name": "a", "id": ""}, "id is a non-empty str, not ''"),
        ({"name": "a", "ts": 1.5}, "ts is an int, ms since 1970 UTC, not 1.5"),
    ],
)
def test_wrong_arguments_are_refused_when_the_event_is_made(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refusal:
        Event(**cast("Any", arguments))
    assert words in str(refusal.value)
