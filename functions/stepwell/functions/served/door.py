"""Who may call a served app: its server, which knows the signing key; without one, callers of this machine."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from time import time  # noqa: TID251 # signatures are of the time of day, wherever they are made
from typing import Any, Final

import orjson

from stepwell.functions.served.request import Request
from stepwell.functions.served.words import SIGNATURE
from stepwell.functions.signing import WINDOW, Keys, canonical, sign, verify

MOST: Final = 65_536
"""Signatures that are remembered."""


class Refused(Exception):
    """A caller that is not let in; says why."""


class Repeated(Refused):
    """A request that was let in before. Asked with another key, it would be let in again."""


class Door:
    """Lets callers in.

    Args:
        keys: that the server may sign with.
    """

    __slots__ = ("_keys", "_lock", "_seen")

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._lock = Lock()
        self._seen: OrderedDict[str, int] = OrderedDict()

    def check(self, request: Request, *, once: bool) -> None:
        """Lets a request pass; with `once`, never another one with its signature.

        Raises:
            Refused: it is not signed as it must be, or was let in before.
        """
        if not self._keys.current:
            if not request.local:
                raise Refused("this app has no signing key, so only this machine may call it: set STEPWELL_SIGNING_KEY")
            return
        signature, now = request.headers.get(SIGNATURE, ""), _now()
        if not signature:
            raise Refused("the request is not signed: set STEPWELL_SIGNING_KEY of the server to that of the app")
        if not self._signed(request.body, signature, now):
            raise Refused("the request is signed with another key, or its clock differs by more than five minutes")
        if once:
            self._remember(signature, now)

    def sign(self, body: bytes) -> dict[str, str]:
        """The header that goes with an answer; none without a key."""
        return {SIGNATURE: sign(body, self._keys.current, _now())} if self._keys.current else {}

    def _signed(self, body: bytes, signature: str, now: int) -> bool:
        if verify(body, signature, self._keys, now):
            return True
        try:
            # A proxy may have written the same JSON in another way.
            return verify(canonical(orjson.loads(body)), signature, self._keys, now)
        except ValueError:
            return False

    def _remember(self, signature: str, now: int) -> None:
        with self._lock:
            while self._seen and (len(self._seen) >= MOST or next(iter(self._seen.values())) < now - 2 * WINDOW):
                self._seen.popitem(last=False)
            if signature in self._seen:
                raise Repeated("this very request was served already")
            self._seen[signature] = now


def _now() -> int:
    return int(time() * 1000)


def parsed(body: bytes) -> Any:
    """The JSON of a body; None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
