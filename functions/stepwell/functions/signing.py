"""Signatures of the SDK protocol: that a request or response comes from who knows the signing key, and is not old.

`t=<seconds>&s=<HMAC-SHA256 of body and seconds>`. What is signed of a request is the canonical form of its body, so
that a proxy may write the same JSON in another way; of a response, its bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import rfc8785

WINDOW = 300_000
"""Ms by which the clocks of both sides may differ, and a message may be late."""
EXACT = 2**53 - 1
"""The largest whole number that JSON is sure to keep."""
_PREFIX = re.compile(r"signkey-\w+-", re.ASCII)
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2})+")
_SIGNATURE = re.compile(r"t=(0|[1-9][0-9]{0,11})&s=([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Keys:
    """The signing keys that are known: the one in use and, while keys are changed, the other one; both may be None."""

    current: str | None = None
    fallback: str | None = None

    def __iter__(self) -> Iterator[str]:
        """Those there are, the one in use first."""
        return iter([key for key in (self.current, self.fallback) if key])

    def open(self, token: str) -> bool:
        """Whether a bearer token shows that its sender knows a key: it is its digest, or it, prefixed or not."""
        given = _bare(token.strip()).encode(errors="replace")
        known = [form for key in self for form in (hashed(key).encode(), _bare(key).encode())]
        # All are compared, so that the time taken tells nothing.
        return sum(hmac.compare_digest(given, form) for form in known) > 0


def is_key(text: str) -> bool:
    """Whether this can be a signing key: hexadecimal digits, behind a prefix or not."""
    return _HEXADECIMAL.fullmatch(_bare(text)) is not None


def hashed(key: str) -> str:
    """The digest of a key in hexadecimal digits, by which SDKs show that they know it."""
    return hashlib.sha256(bytes.fromhex(_bare(key))).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON as RFC 8785 writes it: one form for one value.

    Whole numbers that are not exact in JSON are taken as SDKs read them. Raises `ValueError` for what JSON cannot hold.
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.IntegerDomainError:
        return rfc8785.dumps(_inexact(value))


def sign(body: bytes, key: str, now_ms: int) -> str:
    """The signature of a body.

    Args:
        body: of a request in its canonical form, of a response as it is.
        key: with its prefix or without.
        now_ms: ms UTC.
    """
    seconds = now_ms // 1000
    return f"t={seconds}&s={_mac(body, key, seconds)}"


def verify(body: bytes, header: str | None, keys: Iterable[str], now_ms: int) -> bool:
    """Whether the header is a signature of a body, see `sign`, by one of the keys and not too far from `now_ms`."""
    found = _SIGNATURE.fullmatch(header or "")
    if found is None:
        return False
    seconds, given = int(found[1]), found[2]
    matches = sum(hmac.compare_digest(_mac(body, key, seconds), given) for key in keys)
    return matches > 0 and abs(now_ms - seconds * 1000) <= WINDOW


def _mac(body: bytes, key: str, seconds: int) -> str:
    return hmac.new(_bare(key).encode(), body + str(seconds).encode(), hashlib.sha256).hexdigest()


def _bare(key: str) -> str:
    return _PREFIX.sub("", key, count=1) if _PREFIX.match(key) else key


def _inexact(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _inexact(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_inexact(inner) for inner in cast(Any, value)]
    return float(value) if type(value) is int and abs(value) > EXACT else value
