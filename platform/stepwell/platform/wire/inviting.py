"""Asking an app that is served over HTTP to register itself."""

from typing import Any, cast

import aiohttp

from stepwell.functions.signing import Keys, canonical, sign
from stepwell.platform.clock import Clock
from stepwell.platform.codec import MalformedJSON, decode
from stepwell.platform.wire.addresses import Addresses

PATIENCE = 10.0
"""Seconds in which an app has to answer."""
MOST = 4 << 20
"""Bytes of its answer."""


class NotRegistered(Exception):
    """An app that could not be made to register itself; says why."""


class Inviting:
    """Asks apps.

    Args:
        addresses: that may be asked.
        keys: to sign with.
        clock: for signatures.
        dev: whether this is a server for development.
    """

    def __init__(self, addresses: Addresses, keys: Keys, clock: Clock, *, dev: bool) -> None:
        self._addresses = addresses
        self._keys = keys
        self._clock = clock
        self._kind = "dev" if dev else "cloud"

    async def invite(self, url: str) -> bool:
        """Has the app at an address register itself here; answers whether that changed anything.

        Raises `NotRegistered`.
        """
        try:
            where = self._addresses.check_url(url)
            async with aiohttp.ClientSession(
                connector=self._addresses.connector(),
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session:
                body = canonical({"url": url})
                # Not followed anywhere else: what is asked is what was named.
                async with session.put(where, data=body, headers=self._headers(body), allow_redirects=False) as answer:
                    return _modified(url, answer, await _read(answer.content))
        except TimeoutError:
            raise NotRegistered(f"{url}: no answer within {PATIENCE:g} s") from None
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise NotRegistered(f"{url}: {error}") from None

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "X-Inngest-Server-Kind": self._kind,
            "X-Inngest-Sync-Kind": "out_of_band",
        }
        key = self._keys.current
        return {**headers, "X-Inngest-Signature": sign(body, key, self._clock.now())} if key else headers


async def _read(content: aiohttp.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MOST:
            raise ValueError(f"its answer has more than {MOST:,} bytes")
    return b"".join(parts)


def _modified(url: str, answer: aiohttp.ClientResponse, body: bytes) -> bool:
    if 300 <= answer.status < 400:
        to = answer.headers.get("Location", "nowhere")
        raise NotRegistered(f"{url} leads to {to[:200]!r}: give the address at which the app is served itself")
    if "X-Inngest-SDK" not in answer.headers:
        raise NotRegistered(
            f"{url} answered {answer.status}, but not as an app does: is it where functions are served?"
        )
    told = _told(body)
    # Some SDKs answer 200 although they were refused.
    wrong = told.get("error") or (answer.status >= 400 and (told.get("message") or f"it answered {answer.status}"))
    if wrong:
        raise NotRegistered(f"{url}: {' '.join(str(wrong).split())[:1000]}")
    return bool(told.get("modified"))


def _told(body: bytes) -> dict[str, Any]:
    try:
        told = decode(body)
    except MalformedJSON:
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
