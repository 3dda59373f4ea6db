"""Ids by a seed."""

from base64 import b64encode
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from stepwell.platform.wire.seeds import seeded


def test_the_number_of_an_event_is_added_to_the_last_four_bytes() -> None:
    first, second = islice(seeded(b"1795000000000,AAAAAAAA/////w=="), 2)
    # 6 bytes of zeros, and 4 that are full: one more is none.
    assert (ULID.from_str(first).milliseconds, ULID.from_str(first).bytes[6:]) == (1_795_000_000_000, bytes(10))
    assert ULID.from_str(second).bytes[6:] == bytes(9) + b"\1"


@given(st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=10))
def test_each_event_has_its_own(ms: int, entropy: bytes) -> None:
    seed = f"{ms},".encode() + b64encode(entropy)
    ids = list(islice(seeded(seed), 50))
    assert len(set(ids)) == 50
    assert ids == list(islice(seeded(seed), 50))
    assert {ULID.from_str(id).milliseconds for id in ids} == {ms}


@given(st.binary(max_size=40))
def test_any_header_may_come(header: bytes) -> None:
    assert all(len(id) == 26 for id in islice(seeded(header), 2))
