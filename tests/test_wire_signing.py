"""Signatures: only who knows the key makes them, and only for a while are they good."""

import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from stepwell.functions.signing import WINDOW, Keys, canonical, hashed, sign, verify
from stepwell.platform.settings import Settings
from stepwell.platform.wire.signing import BadSigningKey, keys_of

KEY, OTHER = "signkey-prod-" + "ab" * 32, "cd" * 32
NOW = 1_795_000_000_000
BODIES, TIMES = st.binary(max_size=64), st.integers(0, 4_000_000_000_000)


def test_a_signature_is_what_sdks_make() -> None:
    mac = hmac.new(("ab" * 32).encode(), b'{"a":1}1795000000', hashlib.sha256).hexdigest()
    assert sign(b'{"a":1}', KEY, NOW + 999) == f"t=1795000000&s={mac}"


def test_a_digest_is_what_sdks_send() -> None:
    assert hashed(KEY) == hashlib.sha256(bytes.fromhex("ab" * 32)).hexdigest() == hashed("ab" * 32)


@given(BODIES, TIMES)
def test_what_was_signed_is_verified(body: bytes, now: int) -> None:
    assert verify(body, sign(body, KEY, now), [KEY], now)
    assert verify(body, sign(body, KEY, now), [OTHER, KEY], now)
    assert not verify(body, sign(body, KEY, now), [OTHER], now)
    assert not verify(body, sign(body, KEY, now), [], now)


@given(BODIES, BODIES)
def test_a_signature_is_of_one_body(body: bytes, other: bytes) -> None:
    assert verify(other, sign(body, KEY, NOW), [KEY], NOW) is (body == other)


@pytest.mark.parametrize("late", [-WINDOW, -WINDOW + 1, 0, WINDOW])
def test_it_may_be_a_little_late_or_early(late: int) -> None:
    assert verify(b"", sign(b"", KEY, NOW), [KEY], NOW + late)


@pytest.mark.parametrize("late", [-WINDOW - 1, WINDOW + 1, WINDOW * 1_000])
def test_it_is_not_good_for_ever(late: int) -> None:
    assert not verify(b"", sign(b"", KEY, NOW), [KEY], NOW + late)


@given(st.text() | st.none() | st.from_regex(r"t=[0-9]{0,20}&s=[0-9a-f]{0,70}", fullmatch=True))
def test_no_header_is_taken_that_was_not_signed(header: str | None) -> None:
    assert not verify(b"{}", header, [KEY], NOW)


@given(st.integers(0, 100), st.characters())
def test_no_other_character_will_do(at: int, character: str) -> None:
    good = sign(b"{}", KEY, NOW)
    at %= len(good)
    assert verify(b"{}", good[:at] + character + good[at + 1 :], [KEY], NOW) is (good[at] == character)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_one_value_has_one_canonical_form(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(json.dumps(value))) == text
    # What reads it gets the numbers that it would have got from any other form.
    assert rfc8785.dumps(json.loads(text, parse_int=float)) == text


def test_numbers_beyond_those_of_json_are_as_others_read_them() -> None:
    assert canonical({"b": 2**63, "a": [1, 1.0, 2**53 - 1]}) == b'{"a":[1,1,9007199254740991],"b":9223372036854776000}'


def keys(current: str | None, fallback: str | None = None) -> Keys:
    return keys_of(Settings.model_validate({"signing_key": current, "signing_key_fallback": fallback}))


def test_who_sends_a_digest_knows_the_key() -> None:
    known = keys(KEY, OTHER)
    assert list(known) == [KEY, OTHER]
    for token in (hashed(KEY), f"signkey-prod-{hashed(KEY)}", KEY, f" {hashed(OTHER)} "):
        assert known.open(token)
    for token in ("", "signkey-prod-", hashed("ef" * 32), hashed(KEY)[:-1], "ä", "\ud800"):
        assert not known.open(token)
    assert not keys(None).open("")
    assert list(keys(None)) == list(keys("", "")) == []


@pytest.mark.parametrize("bad", ["signkey-prod-", "signkey-prod-hello", "abc", "my secret"])
def test_a_key_that_means_nothing_is_refused_without_showing_it(bad: str) -> None:
    with pytest.raises(BadSigningKey) as caught:
        keys(KEY, bad)
    assert str(caught.value).startswith("STEPWELL_SIGNING_KEY_FALLBACK is no signing key: ")
    assert "hello" not in str(caught.value)
