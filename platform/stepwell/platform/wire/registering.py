"""Taking what an SDK registers into the registry."""

from typing import Any

from stepwell.functions.protocol import Manifest
from stepwell.platform.errors import InvalidManifest
from stepwell.platform.registry import Registry
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.registration import BadRegistration, manifest_of, registration


class Registering:
    """Registers apps.

    Args:
        registry: of the installation.
        addresses: that apps may be served at.
        dev: whether this is a server for development: there an app takes the place of the one that was where it is.
            Elsewhere a wrong address of one app must not end another.
    """

    __slots__ = ("_addresses", "_dev", "_registry")

    def __init__(self, registry: Registry, addresses: Addresses, *, dev: bool) -> None:
        self._registry = registry
        self._addresses = addresses
        self._dev = dev

    async def take(self, body: Any) -> bool:
        """Registers the app of a registration; answers whether that changed anything. Raises `BadRegistration`."""
        try:
            manifest = manifest_of(registration(body))
            assert manifest.served
            for url in (manifest.served.url, *(str(function.url) for function in manifest.functions)):
                self._addresses.check_url(url)
            modified = await self._registry.register(manifest)
            if self._dev:
                await self._replace(manifest.id, manifest.served.url)
            return modified
        except (InvalidManifest, ValueError, OSError) as error:
            raise BadRegistration(str(error)) from None

    async def _replace(self, app: str, url: str) -> None:
        for other in (await self._registry.load()).apps.values():
            if other.id != app and other.served is not None and other.served.url == url:
                await self._registry.register(Manifest(id=other.id, version=other.version, functions=[]))
