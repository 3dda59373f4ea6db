"""Calls an app: sends what a run has been through, and brings what the app answers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from stepwell.platform.clock import Clock
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.content import content_of
from stepwell.platform.wire.operations import BadReply
from stepwell.platform.wire.replies import UNKNOWN_KEY, Away, Broken, Reply, reply_of

CONNECT = 10.0
"""Seconds in which an app has to be found by its name, and to accept a connection."""
LARGEST = 16 << 20
"""Bytes of an answer."""
AGENT = "Stepwell"


class Seal(Protocol):
    """Signs calls and looks at the signatures of answers, where there are keys."""

    def form(self, piece: bytes) -> bytes:
        """JSON as it is signed."""
        ...

    def sign(self, body: bytes) -> Sequence[Mapping[str, str]]:
        """The headers that go with a body, which is made of such pieces; behind them those for apps that answer 401."""
        ...

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises `BadReply` for an answer that somebody else has signed."""
        ...


class Unsigned:
    """No keys."""

    def form(self, piece: bytes) -> bytes:
        """See `Seal`."""
        return piece

    def sign(self, body: bytes) -> Sequence[Mapping[str, str]]:
        """See `Seal`."""
        return [{}]

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """See `Seal`."""


class Caller(Protocol):
    """Calls apps."""

    def form(self, piece: bytes) -> bytes:
        """A piece of JSON as bodies of calls have it."""
        ...

    async def call(self, url: str, run: str, version: int, body: bytes) -> Reply:
        """Posts a call and reads the answer. Raises `Away`, `BadReply`."""
        ...


class HttpCaller:
    """The `Caller` over HTTP.

    Args:
        session: with its connections.
        clock: tells when an answer came.
        seal: signs.
        check: raises `OSError` or `ValueError` for an address that no app may have.
        kind: of this server, "dev" or "cloud".
        patience: seconds that a call may take.
    """

    __slots__ = ("_check", "_clock", "_headers", "_seal", "_session", "_timeout")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        clock: Clock,
        seal: Seal,
        check: Callable[[str], object],
        *,
        kind: str,
        patience: float,
    ) -> None:
        self._session = session
        self._clock = clock
        self._seal = seal
        self._check = check
        self._timeout = aiohttp.ClientTimeout(total=patience, connect=CONNECT)
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            "X-Inngest-Server-Kind": kind,
        }

    def form(self, piece: bytes) -> bytes:
        """See `Caller`."""
        return self._seal.form(piece)

    async def call(self, url: str, run: str, version: int, body: bytes) -> Reply:
        """See `Caller`."""
        self._allow(url)
        headers = {**self._headers, "X-Run-ID": run, "X-Inngest-Req-Version": str(version)}
        status, received, content = await self._exchange_signed(url, body, headers)
        self._seal.check(received, content)
        return reply_of(status, received, content, self._clock.now())

    def _allow(self, url: str) -> None:
        """What is allowed may have changed since the app was registered."""
        try:
            self._check(url)
        except (OSError, ValueError) as error:
            raise BadReply(f"the address of the app is refused: {error}") from None

    async def _exchange_signed(
        self, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        first, *others = [{**headers, **signature} for signature in self._seal.sign(body)]
        answer = await self._exchange(url, body, first)
        for other in others:
            if answer[0] == UNKNOWN_KEY:
                answer = await self._exchange(url, body, other)
        return answer

    async def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                content = await content_of(response, LARGEST)
                if content is None:
                    raise BadReply(f"it answers with more than {LARGEST:,} bytes")
                received = {name.lower(): value for name, value in response.headers.items()}
                return response.status, received, content
        except TimeoutError as error:
            raise _late(error, self._timeout.total) from None
        except aiohttp.ClientConnectorError as error:
            raise Away(f"the app cannot be reached: {error.os_error.strerror or error.os_error}") from None
        except (aiohttp.ClientError, OSError) as error:
            if _is_unreadable(error):
                raise BadReply(f"its answer cannot be read: {_plain(error)}") from None
            raise Broken(f"the connection to the app broke: {_plain(error)}") from None


def session(addresses: Addresses) -> aiohttp.ClientSession:
    """Connections to addresses that are allowed; apps have no business with cookies."""
    return aiohttp.ClientSession(connector=addresses.connector(), cookie_jar=aiohttp.DummyCookieJar())


def _is_unreadable(error: Exception) -> bool:
    """Whether an answer is none that HTTP knows, and would be no other the next time; else it has broken off."""
    unpacked = isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError)
    return unpacked or isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL)


def _late(error: TimeoutError, patience: float | None) -> Exception:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Away(f"the app does not accept a connection within {CONNECT:g} s")
    return BadReply(f"it has not answered within {patience:g} s (setting STEPWELL_CALL_TIMEOUT)")


def _plain(error: BaseException) -> str:
    return str(error)[:200] or type(error).__name__


def url_for(url: str, step: str) -> str:
    """The address of a function, for the call of a step."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "stepId"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("stepId", step)]), fragment=""))
