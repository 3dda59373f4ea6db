"""Where apps may be served: the server must not be made to reach what only it can reach."""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from stepwell.platform.settings import Settings

NEVER = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # where clouds tell machines their secrets
            "fd00:ec2::254/128",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "fd20:ce::254/128",
            "192.0.0.192/32",
            "fe80::/10",
            "0.0.0.0/8",
            "::/128",
            "224.0.0.0/4",
            "ff00::/8",
            "255.255.255.255/32",
        ),
    )
)
IDLE = 4.0
"""Seconds for which a connection is kept: the servers that apps run in close theirs after 5, maybe as a call begins."""
NAT64 = ip_network("64:ff9b::/96")
NAT64_MASK = (1 << 32) - 1


class RefusedAddress(OSError):
    """An address that apps may not be served at; says which, and why.

    Args:
        host: as it was given.
        address: what it means.
        hint: what to do about it.
    """

    def __init__(self, host: str, address: str, hint: str) -> None:
        where = host if host == address else f"{host} ({address})"
        super().__init__(f"{where} is no address that apps may be served at: {hint}")


class Addresses:
    """Which addresses are allowed.

    Args:
        private: whether those of private networks and of this machine are.
    """

    __slots__ = ("private",)

    def __init__(self, *, private: bool) -> None:
        self.private = private

    @classmethod
    def of(cls, settings: Settings, *, local: bool) -> "Addresses":
        """Those of the settings; `local`: only this machine can reach the server."""
        given = settings.allow_private_urls
        return cls(private=local if given is None else given)

    def check_url(self, url: str) -> URL:
        """The address, if its host is a name, or an address that is allowed. Names are for a `connector` to check.

        Raises `RefusedAddress`; `ValueError` for what is no address of HTTP.
        """
        parsed = URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{url[:200]!r} is no address that begins with http:// or https://")
        if parsed.user is not None or parsed.password is not None:
            raise ValueError(f"the address at {parsed.host} has a user or password in it, and may not")
        if _address(parsed.host):
            self.check(parsed.host, parsed.host)
        elif _is_numeric(parsed.host):
            raise ValueError(f"{parsed.host!r} is an address in a form that hides it: write it with four numbers")
        return parsed

    def check(self, host: str, address: str) -> None:
        """Raises `RefusedAddress` when `address`, which `host` means, is not allowed."""
        found = _address(address)
        if found is None or any(found in network for network in NEVER if network.version == found.version):
            raise RefusedAddress(host, address, "nothing but this machine and its network is there")
        if not self.private and not found.is_global:
            hint = "it is private; if you trust who registers apps, set STEPWELL_ALLOW_PRIVATE_URLS=true"
            raise RefusedAddress(host, address, hint)

    def connector(self) -> TCPConnector:
        """Makes connections to addresses that are allowed. Call `check_url` too, for hosts that are addresses."""
        return TCPConnector(resolver=CheckedResolver(self), limit=0, use_dns_cache=False, keepalive_timeout=IDLE)


class CheckedResolver(AbstractResolver):
    """Finds the addresses of names, all of which have to be allowed: what was checked is what is connected to.

    Those who ask for one name at a time share a look-up.

    Args:
        addresses: those that are.
        resolver: finds them.
    """

    def __init__(self, addresses: Addresses, resolver: AbstractResolver | None = None) -> None:
        self._addresses = addresses
        self._resolver = resolver or ThreadedResolver()
        self._under_way: dict[tuple[str, int, int], asyncio.Task[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp. Raises `RefusedAddress`."""
        found = await self._find(host, port, family)
        for one in found:
            self._addresses.check(host, one["host"])
        return found

    async def _find(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        # Each look-up takes one of a few threads, which those of one name that nobody answers for must not fill.
        wanted = host, port, int(family)
        if wanted not in self._under_way:
            task = self._under_way[wanted] = asyncio.create_task(self._resolver.resolve(host, port, family))
            task.add_done_callback(lambda _: self._found(wanted))
        return await asyncio.shield(self._under_way[wanted])

    def _found(self, wanted: tuple[str, int, int]) -> None:
        task = self._under_way.pop(wanted)
        if not task.cancelled():
            task.exception()  # those who asked may be gone

    async def close(self) -> None:
        """See aiohttp."""
        for task in self._under_way.values():
            task.cancel()
        await self._resolver.close()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; the IPv4 one that an IPv6 one stands for. `None` for what is a name."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found if isinstance(found, IPv4Address) else _inside(found)


def _is_numeric(host: str) -> bool:
    """Whether it is an IPv4 address in one of its older forms, such as 2130706433 and 127.1."""
    try:
        socket.inet_aton(host)
    except (OSError, UnicodeEncodeError):
        return False
    return True


def _inside(address: IPv6Address) -> IPv4Address | IPv6Address:
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address in NAT64:
        return IPv4Address(int(address) & NAT64_MASK)
    return address
