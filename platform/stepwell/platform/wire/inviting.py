"""Asking an app that is served over HTTP to register itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import aiohttp
from yarl import URL

from stepwell.functions.served.words import OURS
from stepwell.functions.signing import Keys, canonical, sign, verify
from stepwell.platform.clock import Clock
from stepwell.platform.codec import MalformedJSON, decode
from stepwell.platform.wire.addresses import Addresses, RefusedAddress
from stepwell.platform.wire.content import content_of
from stepwell.platform.wire.registering import Registering
from stepwell.platform.wire.registration import BadRegistration
from stepwell.platform.wire.replies import UNKNOWN_KEY

PATIENCE = 10.0
"""Seconds in which an app has to answer."""
MOST = 4 << 20
"""Bytes of its answer."""
REACH = "It has to be reached from this server, and to reach it: see docs/serving.md"
SAME_KEY = "It has to have a signing key of this server: see docs/serving.md"
IN_BAND, OUT_OF_BAND = "in_band", "out_of_band"
"""Whether an app says in its answer what it has, or registers itself by a request of its own."""


class NotRegistered(Exception):
    """An app that could not be made to register itself.

    Args:
        why: it is so.
        hint: what may help.
    """

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Told:
    """What an app answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Inviting:
    """Asks apps.

    Args:
        addresses: that may be asked.
        keys: to sign with.
        clock: for signatures.
        registering: takes what an app says of itself in its answer.
        dev: whether this is a server for development.
    """

    def __init__(self, addresses: Addresses, keys: Keys, clock: Clock, registering: Registering, *, dev: bool) -> None:
        self._addresses = addresses
        self._keys = keys
        self._clock = clock
        self._registering = registering
        self._kind = "dev" if dev else "cloud"

    async def invite(self, url: str) -> bool:
        """Has the app at an address register itself here; answers whether that changed anything.

        Where both have a key, the app is asked for its functions in its answer, and does not have to reach this server.
        Raises `NotRegistered`.
        """
        if self._kind == "cloud" and self._keys.current:
            told = await self._ask(url, IN_BAND)
            if self._is_in_band(told):
                return await self._take(url, told)
            if told.status < 400 and told.headers.get("X-Inngest-Sync-Kind", "").lower() != IN_BAND:
                return _modified(url, told)  # it has registered itself all the same
        return _modified(url, await self._ask(url, OUT_OF_BAND))

    def _is_in_band(self, told: Told) -> bool:
        if told.status != 200 or told.headers.get("X-Inngest-Sync-Kind", "").lower() != IN_BAND:
            return False
        return verify(told.body, told.headers.get("X-Inngest-Signature"), self._keys, self._clock.now())

    async def _take(self, url: str, told: Told) -> bool:
        said = _object(told.body)
        sdk = f"{said.get('sdk_language') or ''}:v{str(said.get('sdk_version') or '').removeprefix('v')}"
        version = {"appVersion": said["appVersion"]} if isinstance(said.get("appVersion"), str) else {}
        known = {"appName": said.get("app_id"), "framework": said.get("framework"), "functions": said.get("functions")}
        # What apps of our own SDK say besides, in which nothing of their controls is lost.
        ours = {OURS: said[OURS]} if isinstance(said.get(OURS), dict) else {}
        try:
            return await self._registering.take({"url": url, "sdk": sdk, **known, **version, **ours})
        except BadRegistration as error:
            raise NotRegistered(f"{url}: {error}") from None

    async def _ask(self, url: str, kind: str) -> Told:
        try:
            where = self._addresses.check_url(url)
            async with aiohttp.ClientSession(
                connector=self._addresses.connector(),
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session:
                return await self._put_signed(session, where, canonical({"url": url}), kind)
        except TimeoutError:
            raise NotRegistered(f"{url}: no answer within {PATIENCE:g} s", REACH) from None
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, RefusedAddress):
                raise NotRegistered(f"{url}: {error.os_error}") from None
            why = error.os_error.strerror or error.os_error
            raise NotRegistered(f"{url} cannot be reached: {why}", REACH) from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise NotRegistered(f"{url}: {error}") from None

    async def _put_signed(self, session: aiohttp.ClientSession, where: URL, body: bytes, kind: str) -> Told:
        told = await _put(session, where, body, self._headers(body, kind, self._keys.current))
        if told.status != UNKNOWN_KEY or not self._keys.fallback:
            return told
        return await _put(session, where, body, self._headers(body, kind, self._keys.fallback))

    def _headers(self, body: bytes, kind: str, key: str | None) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "X-Inngest-Server-Kind": self._kind,
            "X-Inngest-Sync-Kind": kind,
        }
        return {**headers, "X-Inngest-Signature": sign(body, key, self._clock.now())} if key else headers


async def _put(session: aiohttp.ClientSession, where: URL, body: bytes, headers: Mapping[str, str]) -> Told:
    # Not followed anywhere else: what is asked is what was named.
    async with session.put(where, data=body, headers=headers, allow_redirects=False) as answer:
        content = await content_of(answer, MOST)
        if content is None:
            raise ValueError(f"its answer has more than {MOST:,} bytes")
        return Told(answer.status, answer.headers, content)


def _modified(url: str, answer: Told) -> bool:
    if 300 <= answer.status < 400:
        to = answer.headers.get("Location", "nowhere")
        raise NotRegistered(f"{url} leads to {to[:200]!r}: give the address at which the app is served itself")
    if "X-Inngest-SDK" not in answer.headers and answer.headers.get("x-inngest-sdk-handled") == "true":
        why = "its log says why; it may lack INNGEST_DEV, or a signing key"
        raise NotRegistered(f"{url} is an app that answered {answer.status}: {why}")
    if "X-Inngest-SDK" not in answer.headers:
        raise NotRegistered(
            f"{url} answered {answer.status}, but not as an app does: is it where functions are served?"
        )
    told = _object(answer.body)
    # Some SDKs answer 200 although they were refused.
    wrong = told.get("error") or (answer.status >= 400 and (told.get("message") or f"it answered {answer.status}"))
    if wrong:
        hint = SAME_KEY if answer.status == UNKNOWN_KEY else REACH
        raise NotRegistered(f"{url}: {' '.join(str(wrong).split())[:1000]}", hint)
    return bool(told.get("modified"))


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = decode(body)
    except MalformedJSON:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
