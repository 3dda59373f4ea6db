"""Calls that apps can tell from those of others."""

from collections.abc import Mapping, Sequence

from stepwell.functions.signing import Keys, canonical, sign, verify
from stepwell.platform.clock import Clock
from stepwell.platform.codec import decode
from stepwell.platform.wire.operations import BadReply

HEADER = "x-inngest-signature"


class Sealed:
    """Signs with the key in use, or with the other one for apps that do not have it yet; see `Seal`.

    Args:
        keys: by either of which answers may be signed.
        clock: tells when.
    """

    __slots__ = ("_clock", "_keys")

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def form(self, piece: bytes) -> bytes:
        """See `Seal`: what is sent is what is signed."""
        return piece if self._keys.current is None else canonical(decode(piece))

    def sign(self, body: bytes) -> Sequence[Mapping[str, str]]:
        """See `Seal`."""
        if self._keys.current is None:
            return [{}]
        now = self._clock.now()
        return [{"X-Inngest-Signature": sign(body, key, now)} for key in self._keys]

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """See `Seal`. What is not signed may come from a proxy; what it says is looked at as always."""
        given = headers.get(HEADER)
        if given is not None and not verify(body, given, self._keys, self._clock.now()):
            raise BadReply("its answer is signed with another key, or was long under way")
