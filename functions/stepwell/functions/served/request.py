"""A request as a served app gets it, from whichever web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from stepwell.functions.served.words import FUNCTION

PROXIED = "x-forwarded-for", "forwarded", "x-real-ip"
"""Headers of requests that a proxy passes on for others."""
OF_PAGES = "origin", "sec-fetch-site"
"""Headers of requests that a web page makes, which may be anybody's."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Args:
        method: of HTTP.
        url: what was asked, with its query.
        headers: by their names in small letters.
        body: as it came.
        peer: address of the caller; "" when it is not known.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    peer: str

    @property
    def function(self) -> str:
        """The function that is called, as the SDK protocol names it."""
        return next(iter(parse_qs(urlsplit(self.url).query).get(FUNCTION, [])), "")

    @property
    def place(self) -> str:
        """What was asked, without its query."""
        return urlsplit(self.url)._replace(query="", fragment="").geturl()

    @property
    def local(self) -> bool:
        """Whether it comes from this machine, to it by its own name, and not through a proxy or from a page."""
        host = urlsplit(self.url).hostname or ""
        near = host == "localhost" or _is_loopback(host)
        return near and _is_loopback(self.peer) and not any(name in self.headers for name in (*PROXIED, *OF_PAGES))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
