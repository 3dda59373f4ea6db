"""Requests that the server makes for steps of served apps: `step.fetch` and `step.ai.infer`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, cast

import aiohttp
from yarl import URL

from stepwell.platform.codec import MalformedJSON, encode
from stepwell.platform.settings import Settings
from stepwell.platform.wire.addresses import Addresses, RefusedAddress
from stepwell.platform.wire.content import content_of
from stepwell.platform.wire.given import decode_given
from stepwell.platform.wire.operations import Operation
from stepwell.platform.wire.replies import pause_of

CODES = ("Gateway", "AIGateway")
"""Operations that are requests."""
MOST = 4 << 20
"""Bytes of a request, and of an answer."""
AGAIN = frozenset({408, 425, 429})
"""Answers of a model, besides those from 500 on, after which it is asked again."""
ANYWHERE = "*"
SETTING = "STEPWELL_GATEWAY_HOSTS"
OURS = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})
"""Headers that are not for apps to say."""
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""Of a header (RFC 9110, section 5.6.2); with anything else in it, what is ours could be said in another way."""
UNPACKED = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "set-cookie"})
"""Headers of answers that do not hold for what is told of them."""


class NotFetched(Exception):
    """A request that was not made, or has no answer that counts.

    Args:
        why: what went wrong.
        final: it would not help to try again.
        pause: ms after which to try again, if somebody says so.
    """

    def __init__(self, why: str, *, final: bool = False, pause: int | None = None) -> None:
        super().__init__(why)
        self.final = final
        self.pause = pause


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, whatever its status; names of headers in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Gateway:
    """Makes requests to hosts that are allowed.

    Args:
        hosts: patterns of their names, such as "*.example.com"; "*" for all that are public. None: nothing is fetched.
        private: whether hosts that are named may be in private networks.
        patience: seconds that a request may take.
    """

    __slots__ = ("_hosts", "_patience", "_private")

    def __init__(self, hosts: Sequence[str], *, private: bool, patience: float) -> None:
        self._hosts = [host.lower() for host in hosts]
        self._private = private
        self._patience = patience

    @classmethod
    def of(cls, settings: Settings, *, private: bool) -> "Gateway":
        """That of the settings."""
        return cls(settings.gateway_hosts, private=private, patience=settings.gateway_timeout)

    async def answer(self, operation: Operation, now: int) -> Any:
        """What a step of such an operation has for its output, at `now` in ms UTC. Raises `NotFetched`."""
        if operation.code == "AIGateway":
            return _inferred(await self.fetch(model_asked(operation.options)), now)
        answered = await self.fetch(asked(operation.options))
        body = answered.body.decode(errors="replace")
        return {"status_code": answered.status, "headers": dict(answered.headers), "body": body}

    async def fetch(self, request: Asked) -> Answered:
        """Makes a request. Raises `NotFetched`."""
        host = _host(request.url)
        addresses = self._addresses(host)
        if request.body is not None and len(request.body) > MOST:
            raise NotFetched(f"the request has {len(request.body):,} bytes, and may have {MOST:,}", final=True)
        try:
            return await self._fetch(addresses.check_url(request.url), addresses, request)
        except TimeoutError:
            raise NotFetched(f"{host} has not answered within {self._patience:g} s") from None
        except (aiohttp.InvalidURL, ValueError) as error:
            raise NotFetched(f"{host}: {error}", final=True) from None
        except (aiohttp.ClientError, OSError) as error:
            refused = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            if isinstance(refused, RefusedAddress):
                raise NotFetched(f"{refused} (`*` in {SETTING} is for public hosts only)", final=True) from None
            raise NotFetched(f"{host} cannot be reached: {type(error).__name__}: {_plain(error)}") from None

    def _addresses(self, host: str) -> Addresses:
        found = [pattern for pattern in self._hosts if fnmatchcase(host, pattern)]
        if not found:
            known = f"allows {', '.join(self._hosts)}" if self._hosts else "is not set, so the server makes no requests"
            raise NotFetched(f"requests to {host} are not allowed: {SETTING} {known}", final=True)
        return Addresses(private=self._private and found != [ANYWHERE])

    async def _fetch(self, url: URL, addresses: Addresses, request: Asked) -> Answered:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in OURS}
        async with (
            aiohttp.ClientSession(
                connector=addresses.connector(),
                timeout=aiohttp.ClientTimeout(total=self._patience),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            # A redirect could lead to where nothing may be fetched from: it is the answer.
            session.request(request.method, url, data=request.body, headers=headers, allow_redirects=False) as response,
        ):
            body = await content_of(response, MOST)
            if body is None:
                raise NotFetched(f"the answer has more than {MOST:,} bytes", final=True)
            told = {_readable(name).lower(): _readable(value) for name, value in response.headers.items()}
            return Answered(response.status, {name: told[name] for name in told if name not in UNPACKED}, body)


def asked(options: Mapping[str, Any]) -> Asked:
    """The request of `step.fetch`."""
    method, body = options.get("method") or "GET", options.get("body")
    if not isinstance(method, str) or not method.isalpha() or len(method) > 16:
        raise NotFetched(f"{method!r:.40} is no method of HTTP", final=True)
    data = None if body is None else body.encode(errors="replace") if isinstance(body, str) else encode(body)
    return Asked(_text(options.get("url")), method.upper(), _headers(options), data)


def model_asked(options: Mapping[str, Any]) -> Asked:
    """The request of `step.ai.infer`, with its key where models of its kind look for it."""
    headers, key = _headers(options), options.get("auth_key")
    given = {name.lower() for name in headers}
    if isinstance(key, str) and key:
        match options.get("format"):
            case "anthropic":
                headers = headers if "x-api-key" in given else {**headers, "x-api-key": key}
            case "gemini":
                pass  # it is in the address
            case _:
                headers = headers if "authorization" in given else {**headers, "Authorization": f"Bearer {key}"}
    headers = headers if "content-type" in given else {**headers, "Content-Type": "application/json"}
    return Asked(_text(options.get("url")), "POST", headers, encode(options.get("body")))


def _inferred(answered: Answered, now: int) -> Any:
    if not 200 <= answered.status < 300:
        text = " ".join(answered.body[:2_000].decode(errors="replace").split())[:500]
        final = answered.status < 500 and answered.status not in AGAIN
        pause = pause_of(answered.headers.get("retry-after"), now)
        raise NotFetched(f"the model answers {answered.status}: {text}", final=final, pause=pause)
    try:
        return decode_given(answered.body)
    except MalformedJSON as error:
        raise NotFetched(f"the model answers with what is no JSON: {error}") from None


def _headers(options: Mapping[str, Any]) -> dict[str, str]:
    given = options.get("headers")
    known = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    return {name: value for name, value in known.items() if NAME.fullmatch(name) and isinstance(value, str)}


def _text(url: object) -> str:
    if not isinstance(url, str) or not url:
        raise NotFetched(f"{url!r:.100} is no address", final=True)
    return url


def _host(url: str) -> str:
    """Of an address, which itself may have secrets in it."""
    try:
        host = URL(url).host
    except ValueError:
        host = None
    if not host:
        raise NotFetched(f"{url.partition('?')[0]!r:.100} is no address with a host", final=True)
    return host.lower()


def _readable(header: str) -> str:
    """Its text, as JSON can hold it: servers write what is no UTF-8, too."""
    return header.encode(errors="surrogateescape").decode(errors="replace")


def _plain(error: BaseException) -> str:
    """What went wrong, without the address."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = getattr(cause, "strerror", None) or (str(cause) if isinstance(cause, OSError) else "")
    return str(text)[:300]
