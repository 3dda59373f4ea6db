"""A store without a server, for tests: fakeredis behind the same interface."""

import importlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.settings import Settings
from stepwell.platform.store.connection import Dial
from stepwell.platform.store.scripts import Flavour
from stepwell.platform.store.store import Store
from stepwell.platform.store.topology import WIRE

if TYPE_CHECKING:
    from fakeredis import FakeServer


class Remembered:
    """One fakeredis server. Stores over the same topology see the same data."""

    flavour: Flavour = "memory"
    clustered = False
    default_partitions = 1
    where = "memory"

    def __init__(self) -> None:
        self.server = fake_server()

    async def locate(self, tags: Sequence[str]) -> list[str]:
        """The one server for all."""
        return [self.where] * len(tags)

    def dial(self, node: str) -> Dial:
        """How to connect to it."""
        from fakeredis.aioredis import FakeAsyncRedisConnection  # an extra

        return lambda: FakeAsyncRedisConnection(server=self.server, **WIRE)

    async def aclose(self) -> None:
        """Data stays with the object."""


def fake_server() -> "FakeServer":
    """A fakeredis server with Lua. Raises `StoreMisconfigured` when the extra is not installed."""
    try:
        importlib.import_module("lupa")  # fakeredis knows no scripts without it, and says so late
        from fakeredis import FakeServer
    except ImportError as missing:
        raise StoreMisconfigured(
            f"a store in memory needs the package {missing.name}", "Install `stepwell[testing]`"
        ) from None
    return FakeServer(version=(7, 4))


@asynccontextmanager
async def memory_store(
    settings: Settings | None = None, *, partitions: int = 1, memory: Remembered | None = None
) -> AsyncGenerator[Store]:
    """A store in memory.

    Args:
        settings: limits and so on; `partitions` and `redis_url` are not looked at.
        partitions: slices of the keyspace.
        memory: shared by the stores of one test; `None` makes a new, empty one.

    Raises `StoreMisconfigured` when the extra `testing` is not installed.
    """
    chosen = (settings or Settings()).model_copy(update={"partitions": partitions})
    async with Store.over(memory or Remembered(), chosen) as store:
        yield store
