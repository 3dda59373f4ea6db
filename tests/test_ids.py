"""Identifiers are ULIDs that sort by time, tell their partition, and for runs follow from what started them."""

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from stepwell.platform.ids import (
    CROCKFORD,
    MAX_PARTITIONS,
    digest_of,
    encode_id,
    home_of,
    is_id,
    new_id,
    partition_of,
    run_id,
    time_of,
)

TIMES = st.integers(0, (1 << 48) - 1)
PARTITIONS = st.integers(0, MAX_PARTITIONS - 1)
TAILS = st.integers(0, (1 << 70) - 1)


@given(TIMES, PARTITIONS, TAILS)
def test_an_id_is_a_ulid_and_tells_its_time_and_partition(ms: int, partition: int, tail: int) -> None:
    made = encode_id(ms, partition, tail)
    assert is_id(made)
    assert (time_of(made), partition_of(made)) == (ms, partition)
    assert int(ULID.from_str(made)) == (ms << 80) | (partition << 70) | tail


@given(TIMES, TIMES, PARTITIONS, PARTITIONS, TAILS)
def test_ids_sort_by_time(one: int, other: int, here: int, there: int, tail: int) -> None:
    if one != other:
        assert (encode_id(one, here, tail) < encode_id(other, there, 0)) == (one < other)


@given(TIMES, PARTITIONS, PARTITIONS, st.text())
def test_a_run_id_follows_from_its_event_and_function(ms: int, home: int, target: int, function: str) -> None:
    event = new_id(ms, home)
    run = run_id(event, function, target)
    assert run == run_id(event, function, target)
    assert is_id(run)
    assert (time_of(run), partition_of(run)) == (ms, target)
    others = {run_id(event, f"{function}x", target), run_id(new_id(ms, home), function, target)}
    assert run not in others


def test_two_ids_of_one_time_are_two() -> None:
    assert len({new_id(1) for _ in range(1_000)}) == 1_000


@given(st.text(max_size=30))
def test_only_ids_look_like_ids(text: str) -> None:
    assert is_id(text) == (len(text) == 26 and set(text) <= set(CROCKFORD) and text[0] <= "7")


def test_what_is_almost_an_id_is_none() -> None:
    good = new_id(1_767_225_600_000)
    for bad in (good.lower(), good + "\n", good[:-1], f"8{good[1:]}", good.replace(good[-1], "U"), f" {good}"):
        assert not is_id(bad)


@given(st.text(max_size=600), st.text(max_size=600))
def test_digests_have_one_size_and_differ(one: str, other: str) -> None:
    assert len(digest_of(one)) == 20
    assert not set(digest_of(one)) & set("+/= |\n")
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(st.text(), PARTITIONS)
def test_a_home_is_one_of_the_partitions_and_stays(text: str, last: int) -> None:
    assert 0 <= home_of(text, last + 1) <= last
    assert home_of(text, last + 1) == home_of(text, last + 1)


def test_homes_are_spread_evenly() -> None:
    homes = [home_of(f"event-{number}", 16) for number in range(16_000)]
    assert all(800 < homes.count(home) < 1_200 for home in range(16))
