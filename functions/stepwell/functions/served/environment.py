"""What a served app knows of its server: where that is, and the keys that both have."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final, Self

from stepwell.client.address import Address
from stepwell.functions.errors import DefinitionError
from stepwell.functions.signing import Keys, hashed, is_key

KEY: Final = "STEPWELL_SIGNING_KEY"
FALLBACK: Final = "STEPWELL_SIGNING_KEY_FALLBACK"


@dataclass(frozen=True, slots=True)
class Environment:
    """Where the server is, and what it signs with.

    Args:
        server: its address.
        keys: with none, only callers of this machine are served.
    """

    server: Address
    keys: Keys = field(repr=False)

    @classmethod
    def of(cls, server: str | None, signing_key: str | None, fallback: str | None) -> Self:
        """What was given, else STEPWELL_URL, STEPWELL_SIGNING_KEY and STEPWELL_SIGNING_KEY_FALLBACK.

        Raises:
            DefinitionError: the address is none, or a key means nothing.
        """
        current = (signing_key or os.environ.get(KEY) or "").strip() or None
        other = (fallback or os.environ.get(FALLBACK) or "").strip() or None
        for name, key in {KEY: current, FALLBACK: other}.items():
            if key is not None and not is_key(key):
                raise DefinitionError(f"{name} is no signing key: it is an even number of hexadecimal digits")
        try:
            return cls(Address.of(server, None, None), Keys(current, other))
        except ValueError as error:
            raise DefinitionError(str(error)) from None

    @property
    def mode(self) -> str:
        """The kind of server that it belongs to, as the SDK protocol has it."""
        return "cloud" if self.keys.current else "dev"

    @property
    def authorizations(self) -> list[dict[str, str]]:
        """Headers by which the server knows the app: with each key, the one in use first."""
        return [{"Authorization": f"Bearer {hashed(key)}"} for key in self.keys] or [self.server.headers()]
