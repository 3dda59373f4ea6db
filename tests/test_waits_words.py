"""Events and the waits for them find each other by words: exactly when the condition says so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepwell.platform.expressions import EvaluationError, ExpressionError
from stepwell.platform.waits.listing import ALONE, Listing, Member, noted
from stepwell.platform.waits.sought import MOST_SETS, fits, paths_of, sought
from stepwell.platform.waits.words import Awaited, word_of

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.0, 1.0, 0.5, "", "1", "a b\n", "é"])
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from("xy"), SCALARS, max_size=2))
DATA = st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2)
CONDITIONS = [
    "",
    "event.data.a == async.data.a",
    "async.data.a == event.data.a && async.data.b == event.data.b",
    "async.data.a == 1",
    "async.data.a == event.data.a && async.data.b != event.data.b",
    "async.data.a == event.data.a && async.data.a == event.data.b",
    "async.data.a == event.data.a || async.data.b == event.data.b",
    "async.data.a.x == event.data.b",
]


def event(name: str, data: Any) -> dict[str, Any]:
    return {"id": "E", "name": name, "data": data, "ts": 1}


@given(st.sampled_from(CONDITIONS), DATA, DATA)
def test_a_wait_is_found_by_every_event_that_fulfils_it_and_by_no_other(condition: str, one: Any, other: Any) -> None:
    trigger, incoming = event("began", one), event("came", other)
    wanted = sought("came", condition, trigger, tuple)
    awaited = Awaited([(wanted.name, wanted.paths)])
    found = wanted.word in awaited.words(incoming) and fits(wanted.rest, trigger, incoming)
    assert found == fits(condition, trigger, incoming)


def test_words_of_other_names_paths_and_values_differ() -> None:
    words = {
        word_of(name, paths, values)
        for name in ("a", "b")
        for paths in ((), (("x",),), (("x", 0),), (("x",), ("y",)))
        for values in ((), ("s:1",), ("n:1",), ("s:1", "s:1"))
    }
    assert len(words) == 2 * 4 * 4


def test_events_of_names_that_nobody_waits_for_have_no_words() -> None:
    awaited = Awaited([("a", ()), ("a", (("data", "x"),)), ("a", ())])
    assert ("a" in awaited, "b" in awaited) == (True, False)
    assert (len(awaited.words(event("a", {"x": 1}))), awaited.words(event("b", {"x": 1}))) == (2, [])
    assert len(awaited.words(event("a", {"x": [1]}))) == 1, "what is no scalar is in no index"


def test_ever_new_paths_do_not_make_ever_more_indexes() -> None:
    few = tuple(((("data", f"x{index}"),)) for index in range(MOST_SETS))
    condition = "async.data.a == event.data.a"
    assert sought("came", condition, event("began", {"a": 1}), lambda: few).paths == ()
    assert sought("came", condition, event("began", {"a": 1}), lambda: (paths_of(condition), *few)).paths != ()


@pytest.mark.parametrize("condition", ["async.data.a ==", "other.data.a == 1", "async.data.a == nonsense(1)"])
def test_what_is_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(ExpressionError):
        sought("came", condition, event("began", {}), tuple)


def test_what_cannot_be_compared_with_is_an_error_of_the_wait() -> None:
    with pytest.raises(EvaluationError):
        sought("came", "async.data.a == int(event.data.a)", event("began", {"a": "x"}), tuple)


def test_a_listing_and_a_member_are_read_as_they_are_written() -> None:
    listing = Listing("a b", "W", "async.data.x > 'y z'", "3", None, 7)
    assert noted(listing.note()) == listing
    assert b" " not in listing.note()
    run = "0" * 26
    step, cancel = Member.parse(f"E3{run}|a|b! c\n"), Member.parse(f"S-{run}!12")
    assert (step.evaluates, step.ordinal, step.run, step.key) == (True, "3", run, "a|b! c\n")
    assert (cancel.evaluates, cancel.ordinal, cancel.key, cancel.number) == (False, ALONE, None, 12)
    assert (step.text, cancel.text) == (f"E3{run}|a|b! c\n", f"S-{run}!12")


def test_waits_for_the_same_have_the_same_mark_and_others_have_others() -> None:
    plain, evaluated = Listing("a", "W", ""), Listing("a", "W", "async.data.x > 1")
    assert plain.mark == Listing("a", "W", "", "4", 9).mark
    assert len({plain.mark, evaluated.mark, Listing("a", "W", "async.data.x > 2").mark}) == 3
