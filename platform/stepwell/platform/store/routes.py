"""The connections of one store: which of them leads to which partition."""

import asyncio
from collections.abc import Sequence
from itertools import count

from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.store.connection import BACKOFF, Connection, Limits, Reply, ReplyFuture, Unanswered, pack
from stepwell.platform.store.scripts import Script
from stepwell.platform.store.topology import Topology

FRESH_SECONDS = 0.05


class Routes:
    """One connection to each server that holds partitions.

    Args:
        topology: knows the servers.
        limits: bounds of each connection.
    """

    def __init__(self, topology: Topology, limits: Limits) -> None:
        self.topology = topology
        self.limits = limits
        self.lines: list[Connection] = []
        """The connection of each partition."""
        self.closed = False
        self._tags: tuple[str, ...] = ()
        self._nodes: dict[str, Connection] = {}
        self._refreshed = 0.0
        self._refreshing = asyncio.Lock()
        self._loading: dict[tuple[str, str], ReplyFuture] = {}

    async def cover(self, tags: Sequence[str]) -> None:
        """Finds the servers of these hash tags, partition by partition. Raises `Unanswered`."""
        self._tags = tuple(tags)
        self.lines = [self.to(node) for node in await self.topology.locate(self._tags)]

    async def find(self, tags: Sequence[str]) -> None:
        """The same, tried until patience ends. Raises `StoreUnavailable`."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.limits.patience
        for failures in count(1):
            try:
                await self.cover(tags)
            except Unanswered as error:
                if loop.time() > ends:
                    raise StoreUnavailable(self.topology.where, error.reason) from None
            else:
                return
            await asyncio.sleep(BACKOFF.compute(failures))

    async def refresh(self) -> None:
        """Asks again who holds what; callers at the same time share one question. Raises `Unanswered`."""
        loop = asyncio.get_running_loop()
        async with self._refreshing:
            if loop.time() - self._refreshed > FRESH_SECONDS:
                await self.cover(self._tags)
                await self._forget_unused()
                self._refreshed = loop.time()

    def to(self, node: str) -> Connection:
        """The connection to a server. Raises `Unanswered` when these were closed: nobody would close another one."""
        if self.closed:
            raise Unanswered("the store was closed", sent=False)
        if node not in self._nodes:
            self._nodes[node] = Connection(node, self.topology.dial(node), self.limits)
        return self._nodes[node]

    async def teach(self, line: Connection, script: Script) -> None:
        """Loads a script into a server; callers at the same time share one load. Raises as `Connection.submit`."""
        key = (line.where, script.sha)
        if key not in self._loading:
            self._loading[key] = line.submit(pack(("SCRIPT", "LOAD", script.text)))
            self._loading[key].add_done_callback(lambda loaded: self._taught(key, loaded))
        await asyncio.shield(self._loading[key])

    def _taught(self, key: tuple[str, str], loaded: ReplyFuture) -> None:
        del self._loading[key]
        if not loaded.cancelled():
            loaded.exception()  # those who wait see it; nobody may be left who does

    async def _forget_unused(self) -> None:
        unused = [node for node, line in self._nodes.items() if line not in self.lines]
        for node in unused:
            await self._nodes.pop(node).aclose()

    async def aclose(self) -> None:
        """Closes every connection, for good."""
        self.closed = True
        for line in self._nodes.values():
            await line.aclose()
        self._nodes.clear()


ASKING = pack(("ASKING",))


async def ask(line: Connection, packed: bytes, expires: float) -> Reply:
    """Sends a command to a server that is taking over its slot. Raises as `Connection.submit`."""
    leave, reply = line.submit(ASKING, expires), line.submit(packed, expires)
    await asyncio.gather(leave, return_exceptions=True)
    return await reply
