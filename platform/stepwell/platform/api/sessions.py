"""Sessions: what stays in a browser after a key was given there, in place of the key.

A session is a cookie that says which key it was, by name, and until when, and is signed. The server keeps nothing, so
any server with the same keys knows it; and as the signature is made with all the keys and what they may do, no session
outlives a change of these.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import scrypt
from hmac import compare_digest, digest

import orjson
from starlette.requests import cookie_parser

from stepwell.platform.api.api_keys import ApiKey
from stepwell.platform.api.scopes import Grant

COOKIE = "stepwell_session"
LENGTH = 12 * 3_600_000
"""Ms for which a session is good, whatever is done meanwhile."""
SALT = b"stepwell sessions 1"
MOST = 512
"""Characters of a session."""


class Sessions:
    """The sessions of a server with these keys."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = keys
        self._grants = {key.grant.name: key.grant for key in keys}

    def begin(self, grant: Grant, now: int) -> str:
        """A session of `LENGTH`, from `now`, ms UTC."""
        body = orjson.dumps({"name": grant.name, "end": now + LENGTH})
        return f"{_text(body)}.{_text(self._sign(b'session', body))}"

    def grant(self, session: str, now: int) -> Grant | None:
        """What the session allows; `None` when it is none of ours, or over."""
        body, signature = map(_bytes, session[:MOST].partition(".")[::2])
        if not body or not compare_digest(signature, self._sign(b"session", body)):
            return None
        said = orjson.loads(body)
        known = self._grants.get(said["name"])
        return replace(known, signed_in=True) if known and now < said["end"] else None

    def token(self, grant: Grant) -> str:
        """What a form of a page made for `grant` brings along: no page of another site can know it."""
        return _text(self._sign(b"form", grant.name.encode()))

    def _sign(self, purpose: bytes, body: bytes) -> bytes:
        return digest(self._secret, purpose + b"\0" + body, "sha256")

    @cached_property
    def _secret(self) -> bytes:
        # Slow on purpose: who has a session could otherwise guess the keys of others from its signature, if they are
        # short. It takes 50 ms, once.
        said = sorted(orjson.dumps([repr(key.grant), key.secret.decode()]) for key in self._keys)
        return scrypt(b"\n".join(said), salt=SALT, n=1 << 14, r=8, p=1)


def cookie(session: str, *, secure: bool, seconds: int = LENGTH // 1000) -> str:
    """The value of a `Set-Cookie` header."""
    parts = [f"{COOKIE}={session}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, *(["Secure"] if secure else [])])


def presented(cookies: bytes) -> str:
    """The session in a `Cookie` header; empty when there is none."""
    return cookie_parser(cookies.decode("latin-1")).get(COOKIE, "")


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """What was written as text; empty when it is none of ours."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
