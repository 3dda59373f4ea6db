"""Who may do what: the names the server answers to, the pages that may post to it, and the keys.

Without keys a server is open, and so it may only listen where nobody else can reach it. There, the danger is a web page
in a browser of this very machine: it can post anywhere (so the origin is checked), and it can give its own name the
address 127.0.0.1 and then read (DNS rebinding; so the Host header is checked).
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from hmac import compare_digest
from ipaddress import ip_address

from pydantic import SecretStr

from stepwell.platform.api import sessions
from stepwell.platform.api.api_keys import api_keys, found
from stepwell.platform.api.attempts import Attempts
from stepwell.platform.api.problems import Problem
from stepwell.platform.api.scopes import OPEN, Grant
from stepwell.platform.errors import StepwellError
from stepwell.platform.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
REMEMBERED = 64

Headers = Mapping[bytes, bytes]
"""By names in lower case, as ASGI gives them."""


class UnsafeAddress(StepwellError):
    """The server was to listen where others can reach it, without keys."""

    def __init__(self, host: str, missing: Iterable[str]) -> None:
        super().__init__(host)
        self.host = host
        self.missing = tuple(missing)

    def __str__(self) -> str:
        return (
            f"{self.host} can be reached by others, so {' and '.join(self.missing)} must be set; "
            "or listen on 127.0.0.1, which needs no keys"
        )


class Access:
    """What requests are allowed to do on a server that listens on `host`.

    Args:
        settings: holds the keys.
        dev: on loopback, keys are not asked for, even if there are some.
        host: name or address; one that begins with "/" is a socket in the file system.

    Raises `UnsafeAddress` when the host is not loopback and there are no keys, `BadKey` for one that means nothing.

    `attempts` are those at signing in that failed; `sessions` are of those who have signed in.
    """

    def __init__(self, settings: Settings, *, dev: bool, host: str) -> None:
        local = is_local(host)
        keys = {"STEPWELL_EVENT_KEYS": settings.event_keys, "STEPWELL_API_KEYS": settings.api_keys}
        if not local and not all(keys.values()):
            raise UnsafeAddress(host, [name for name, given in keys.items() if not given])
        free = dev and local
        self._event_keys = () if free else _bytes(settings.event_keys)
        given = api_keys(settings.api_keys)
        self._api_keys = () if free else given
        self.sessions = sessions.Sessions(given)
        self.attempts = Attempts()
        self._names = LOOPBACK | {host.strip("[]").lower()}
        self._check_names = local and not (self._event_keys and self._api_keys)
        self._known_hosts: set[bytes] = set()

    def check_request(self, method: str, headers: Headers) -> None:
        """Raises a `Problem` when the Host is not ours, or another site's page posts."""
        host = headers.get(b"host", b"")
        if self._check_names and host not in self._known_hosts:
            self._check_host(host)
        if method not in SAFE:
            check_origin(headers)

    def _check_host(self, host: bytes) -> None:
        # What sends no Host is no browser.
        name = name_of(host.decode("latin-1"))
        if name and name not in self._names and not is_loopback(name):
            raise Problem(
                421,
                "wrong_host",
                f"this server does not answer to the name {name[:80]!r}",
                "Use http://127.0.0.1 or http://localhost, or set STEPWELL_EVENT_KEYS and STEPWELL_API_KEYS",
            )
        if len(self._known_hosts) < REMEMBERED:
            self._known_hosts.add(host)

    def allows_events(self, key: str) -> bool:
        """Whether `key` allows sending events."""
        return key != "" and "/" not in key and (not self._event_keys or _is_one_of(key.encode(), self._event_keys))

    @property
    def free(self) -> bool:
        """Whether no API key is asked for."""
        return not self._api_keys

    def granted(self, key: str) -> Grant | None:
        """What an API key allows; `None` when it is not known."""
        return found(key.encode(errors="replace"), self._api_keys)

    def identify(self, headers: Headers, now: int) -> Grant | None:
        """What the caller may do, at `now` ms UTC; `None` of one who has given no key that is known."""
        if self.free:
            return OPEN
        if b"authorization" in headers:
            return found(presented(headers), self._api_keys)
        session = sessions.presented(headers.get(b"cookie", b""))
        return self.sessions.grant(session, now) if session else None


def check_origin(headers: Headers) -> None:
    """Raises a `Problem` when the request was made by a page of another site; other programs send no Origin."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if site in (b"same-origin", b"none") or (site is None and origin is None):
        return
    if site is None and origin is not None and origin.rpartition(b"://")[2] == headers.get(b"host"):
        return
    shown = (origin or b"unknown").decode("latin-1")[:80]
    message = f"a page of another site ({shown!r}) may not post here"
    raise Problem(403, "cross_origin", message, "Send from a server, not from a page")


def presented(headers: Headers) -> bytes:
    """The API key of a request: a bearer token, or the password of Basic; empty when there is none."""
    scheme, _, value = headers.get(b"authorization", b"").partition(b" ")
    match scheme.lower():
        case b"bearer":
            return value.strip()
        case b"basic":
            return _password(value.strip())
        case _:
            return b""


def _password(encoded: bytes) -> bytes:
    try:
        return b64decode(encoded, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _is_one_of(given: bytes, keys: Iterable[bytes]) -> bool:
    # All are compared, so that the time taken tells nothing.
    return sum(compare_digest(given, key) for key in keys) > 0


def _bytes(keys: Iterable[SecretStr]) -> tuple[bytes, ...]:
    return tuple(key.get_secret_value().encode() for key in keys)


def name_of(host: str) -> str:
    """The name or address in a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def is_loopback(name: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_local(host: str) -> bool:
    """Whether a server that listens there can be reached from this machine only."""
    return host.startswith("/") or is_loopback(name_of(host) if host.count(":") < 2 else host.strip("[]"))
