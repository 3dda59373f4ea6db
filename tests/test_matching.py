"""Triggers: an event's name, or a wildcard over the end of it."""

from hypothesis import given
from hypothesis import strategies as st

from stepwell.platform import matching
from stepwell.platform.matching import Matcher

WORDS = st.text("ab./", min_size=1, max_size=6)
PATTERNS = st.one_of(WORDS, WORDS.map(lambda word: f"{word}.*"), WORDS.map(lambda word: f"{word}/*"))


def fits(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


@given(st.lists(PATTERNS, max_size=12), st.lists(WORDS, min_size=1, max_size=8))
def test_every_trigger_that_fits_matches_once(patterns: list[str], names: list[str]) -> None:
    matcher = Matcher((pattern, pattern) for pattern in [*patterns, *patterns])
    for name in names:
        found = matcher.match(name)
        assert len(set(found)) == len(found)
        assert set(found) == {pattern for pattern in patterns if fits(pattern, name)}
        assert matcher.match(name) == found


def test_whole_names_come_first_then_the_shortest_wildcard() -> None:
    matcher = Matcher([("a.b.*", "long"), ("a.*", "short"), ("a.b.c", "whole")])
    assert matcher.match("a.b.c") == ("whole", "short", "long")


def test_a_wildcard_stands_for_something() -> None:
    matcher = Matcher([("order.*", 1)])
    assert matcher.match("order") == ()
    assert matcher.match("orders.placed") == ()
    assert matcher.match("order.placed.twice") == (1,)


def test_a_wildcard_stands_behind_a_dot_or_a_slash() -> None:
    matcher = Matcher([("app/*", "all"), ("app/user.*", "users"), ("app.*", "others")])
    assert matcher.match("app/user.created") == ("all", "users")
    assert matcher.match("app/order") == ("all",)
    assert matcher.match("app.started") == ("others",)
    assert matcher.match("apps/user.created") == ()


def test_names_that_never_come_again_are_forgotten() -> None:
    matcher = Matcher([("order.*", 1)])
    for number in range(matching.REMEMBERED_NAMES + 10):
        matcher.match(f"order.{number}")
    assert len(matcher._remembered) == 10  # pyright: ignore[reportPrivateUsage] - the only sign of it is memory
    assert matcher.match("order.1") == (1,)
