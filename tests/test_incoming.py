"""What is said to a sender of events: all of them are good, or one mistake is named with its event and field."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.platform.codec import encode
from stepwell.platform.incoming import MAX_DEPTH, MAX_EVENTS, BadEvent, EventTooLarge, IncomingEvent, parse_events

LIMIT = 1_024
NOW = 1_767_225_600_000


def parse(*events: Any) -> list[IncomingEvent]:
    return parse_events(encode(list(events)), LIMIT)


@given(
    name=st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and not text.startswith("inngest/")),
    data=st.dictionaries(st.text(max_size=9), st.none() | st.integers(-9, 9) | st.text(max_size=9), max_size=5),
    sender=st.text(max_size=40),
)
def test_a_good_event_is_taken_as_it_is(name: str, data: dict[str, Any], sender: str) -> None:
    [event] = parse({"name": name, "data": data, "id": sender, "ts": NOW, "user": "ignored"})
    assert (event.name, event.data, event.sender_id, event.ts) == (name, data, sender, NOW)


def test_one_object_is_one_event_and_most_fields_may_be_left_out() -> None:
    [event] = parse_events(b'{"name":"a"}', LIMIT)
    assert (event.data, event.sender_id, event.ts) == ({}, "", 0)
    assert parse({"name": "a", "data": None, "id": None, "ts": None}) == [event]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("text", "event 2: is a text; it must be an object"),
        (7, "event 2: is a number"),
        ([], "event 2: is an array"),
        (None, "event 2: is missing"),
        ({}, "event 2: name is missing"),
        ({"name": ""}, "event 2: name is an empty text"),
        ({"name": " \n"}, "event 2: name is an empty text"),
        ({"name": ["a"]}, "event 2: name is an array"),
        ({"name": "é" * 257}, "event 2: name has 514 bytes; the limit is 512"),
        ({"name": "inngest/function.finished"}, "kept for the platform's own"),
        ({"name": "a", "data": "text"}, "event 2: data is a text; it must be an object"),
        ({"name": "a", "data": [1]}, "event 2: data is an array"),
        ({"name": "a", "data": True}, "event 2: data is a boolean"),
        ({"name": "a", "id": 7}, "event 2: id is a number; it must be a text"),
        ({"name": "a", "id": "x" * 513}, "event 2: id has 513 bytes"),
        ({"name": "a", "ts": "now"}, "event 2: ts is a text"),
        ({"name": "a", "ts": 1.5}, "event 2: ts is a number; it must be a whole number"),
        ({"name": "a", "ts": True}, "event 2: ts is a boolean"),
        ({"name": "a", "ts": NOW // 1000}, "is it in seconds?"),
        ({"name": "a", "ts": NOW * 1000}, "is not between 1980 and 2100"),
    ],
)
def test_a_mistake_is_named(event: Any, text: str) -> None:
    with pytest.raises(BadEvent) as caught:
        parse({"name": "good"}, event)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status == 400


def test_limits_are_exact() -> None:
    empty = len(encode({"name": "a", "data": {"x": ""}}))
    [event] = parse({"name": "a", "data": {"x": "y" * (LIMIT - empty)}})
    assert len(event.data["x"]) == LIMIT - empty
    with pytest.raises(EventTooLarge, match=r"event 1: has 1,025 bytes; the limit is 1,024 .*STEPWELL_MAX_EVENT_BYTES"):
        parse({"name": "a", "data": {"x": "y" * (LIMIT - empty + 1)}})
    assert len(parse_events(encode([{"name": "a"}] * MAX_EVENTS), LIMIT)) == MAX_EVENTS
    with pytest.raises(EventTooLarge, match="5,001 events"):
        parse_events(encode([{"name": "a"}] * (MAX_EVENTS + 1)), LIMIT)


def test_whitespace_around_it_does_not_make_an_event_too_large() -> None:
    assert len(parse_events(b" " * 2 * LIMIT + b'{"name":"a"}', LIMIT)) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name":NaN}', b"\xff"])
def test_what_is_no_list_of_events_is_refused(body: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_events(body, LIMIT)


@given(st.integers(MAX_DEPTH - 5, MAX_DEPTH + 20))
def test_what_is_taken_can_be_given_back(depth: int) -> None:
    body = b'{"name":"a","data":{"x":' + b"[" * depth + b"]" * depth + b"}}"
    try:
        [event] = parse_events(body, 1 << 20)
    except BadEvent as refusal:
        assert "nested more than 250 levels" in str(refusal)  # noqa: PT017 - either is right, at its depth
        assert depth + 2 > MAX_DEPTH
    else:
        assert encode({"name": "a", "data": event.data, "ts": NOW})
