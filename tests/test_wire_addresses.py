"""Which addresses apps may be served at."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from stepwell.platform.settings import Settings
from stepwell.platform.wire.addresses import Addresses, CheckedResolver, RefusedAddress

NEVER = [
    "169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "0.0.0.0", "::", "fe80::1%eth0", "224.0.0.1",
    "ff02::1", "255.255.255.255", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe", "shop",
]  # fmt: skip
PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "::1", "fd12::1", "100.64.0.1", "::ffff:10.0.0.1"]
PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"]


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("private", [True, False])
def test_secrets_of_clouds_and_what_is_no_host_are_never_asked(address: str, private: bool) -> None:
    with pytest.raises(RefusedAddress):
        Addresses(private=private).check("shop", address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_asked_only_when_allowed(address: str) -> None:
    Addresses(private=True).check(address, address)
    with pytest.raises(RefusedAddress, match="STEPWELL_ALLOW_PRIVATE_URLS=true"):
        Addresses(private=False).check(address, address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_asked(address: str) -> None:
    Addresses(private=False).check(address, address)


@pytest.mark.parametrize(
    ("given", "local", "private"), [(None, True, True), (None, False, False), (True, False, True), (False, True, False)]
)
def test_what_the_settings_say_counts(given: bool | None, local: bool, private: bool) -> None:
    addresses = Addresses.of(Settings(allow_private_urls=given), local=local)
    if private:
        assert addresses.check_url("http://127.0.0.1:3000/api").port == 3000
    else:
        with pytest.raises(RefusedAddress, match=r"127\.0\.0\.1 is no address that apps may be served at"):
            addresses.check_url("http://127.0.0.1:3000/api")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop",
        "ftp://shop",
        "http://",
        "http://u:p@shop",
        "http://[::1",
        "http://a:99999",
        "http://2130706433",
        "http://0x7f.1/",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # some of them are refused by whoever reads addresses
        Addresses(private=True).check_url(url)


class Names(AbstractResolver):
    """Knows names."""

    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        flags = socket.AI_NUMERICHOST
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)
            for address in self.known[host]
        ]

    async def close(self) -> None:
        self.closed = True


async def test_names_are_as_good_as_all_their_addresses() -> None:
    names = Names(good=["93.184.216.34"], mixed=["93.184.216.34", "10.0.0.1"])
    resolver = CheckedResolver(Addresses(private=False), names)
    assert [one["host"] for one in await resolver.resolve("good", 80)] == ["93.184.216.34"]
    with pytest.raises(RefusedAddress, match=r"mixed \(10\.0\.0\.1\)"):
        await resolver.resolve("mixed", 80)
    await resolver.close()
    assert names.closed


class Slow(Names):
    """Takes its time."""

    def __init__(self) -> None:
        super().__init__(app=["93.184.216.34"])
        self.asked = 0
        self.known_at = asyncio.Event()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked += 1
        await self.known_at.wait()
        return await super().resolve(host, port, family)


async def test_those_who_ask_for_one_name_share_a_look_up() -> None:
    """The threads for them are few, and the names of other apps need some."""
    names = Slow()
    resolver = CheckedResolver(Addresses(private=False), names)
    given_up, *others = [asyncio.create_task(resolver.resolve("app", 80)) for _ in range(3)]
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.sleep(0)
    assert (given_up.done(), names.asked) == (True, 1)
    names.known_at.set()
    assert [[one["host"] for one in found] for found in await asyncio.gather(*others)] == [["93.184.216.34"]] * 2
    await resolver.resolve("app", 80)
    assert names.asked == 2, "nothing is kept"
    names.known_at.clear()
    left = asyncio.create_task(resolver.resolve("app", 80))
    await asyncio.sleep(0)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await left


async def test_a_session_connects_to_no_name_that_means_a_refused_address() -> None:
    async with aiohttp.ClientSession(connector=Addresses(private=False).connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get("http://localhost:1/")
        assert isinstance(caught.value.os_error, RefusedAddress)
