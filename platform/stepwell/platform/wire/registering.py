"""Taking what an SDK registers into the registry."""

from typing import Any

from stepwell.platform.errors import InvalidManifest
from stepwell.platform.registry import Registry
from stepwell.platform.wire.addresses import Addresses
from stepwell.platform.wire.registration import BadRegistration, manifest_of, registration


class Registering:
    """Registers apps.

    Args:
        registry: of the installation.
        addresses: that apps may be served at.
    """

    __slots__ = ("_addresses", "_registry")

    def __init__(self, registry: Registry, addresses: Addresses) -> None:
        self._registry = registry
        self._addresses = addresses

    async def take(self, body: Any) -> bool:
        """Registers the app of a registration; answers whether that changed anything. Raises `BadRegistration`."""
        try:
            manifest = manifest_of(registration(body))
            assert manifest.served
            for url in (manifest.served.url, *(str(function.url) for function in manifest.functions)):
                self._addresses.check_url(url)
            return await self._registry.register(manifest)
        except (InvalidManifest, ValueError, OSError) as error:
            raise BadRegistration(str(error)) from None
