"""The proxy that the environment names for a server."""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_for(url: str) -> str | None:
    """The URL of the HTTP proxy by which to reach `url`, None for straight on.

    HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, and what the system is set to, are understood as by `urllib`.

    Raises:
        ValueError: the proxy is of another kind, such as SOCKS.
    """
    parts = urlsplit(url)
    if _bypassed(parts.hostname or "", parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    scheme, colon, _ = proxy.partition("://")
    if colon and scheme not in ("http", "https"):
        raise ValueError(f"the environment names a {scheme} proxy for {parts.hostname}; only http and https ones work")
    return proxy if colon else f"http://{proxy}"


def _bypassed(host: str, host_and_port: str) -> bool:
    # Both forms: urllib takes the end of a bare IPv6 address for a port, and NO_PROXY may name a port.
    return bool(proxy_bypass(host)) or bool(proxy_bypass(host_and_port))
