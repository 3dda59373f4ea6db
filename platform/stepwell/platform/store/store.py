"""The store: commands and scripts sent to the partition they belong to, whatever happens to servers meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from redis.exceptions import RedisError

from stepwell.platform.settings import Settings
from stepwell.platform.store.connection import Argument, Limits, Reply, ReplyFuture, Unanswered, pack
from stepwell.platform.store.embedded import address_of
from stepwell.platform.store.installation import agree_on_partitions, check_servers
from stepwell.platform.store.keys import partition_tags
from stepwell.platform.store.persistence import Call
from stepwell.platform.store.routes import Routes
from stepwell.platform.store.scripts import Item, Script, Scripts
from stepwell.platform.store.subscription import Message, subscription
from stepwell.platform.store.topology import Topology, topology_of


class Store:
    """Redis, as partitions of one keyspace. Open one with `Store.open`.

    Args:
        routes: connections, which the store does not close.
        scripts: the scripts of the flavour of the servers.
        partitions: how many slices the keyspace has.
    """

    def __init__(self, routes: Routes, scripts: Scripts, partitions: int) -> None:
        self.partitions = partitions
        self.tags = partition_tags(partitions)
        self.where = routes.topology.where
        self._routes = routes
        self._scripts = scripts
        self._keys = tuple(f"{{{tag}}}" for tag in self.tags)
        self._loop = asyncio.get_running_loop()
        self._mending: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncGenerator["Store"]:
        """Connects to the Redis of the settings, or to the running server of the data directory, and checks it.

        Raises `StoreUnavailable` when it stays out of reach, `StoreMisconfigured` when it is not fit for use.
        """
        topology = topology_of(await address_of(settings))
        try:
            async with cls.over(topology, settings) as store:
                yield store
        finally:
            await topology.aclose()

    @classmethod
    @asynccontextmanager
    async def over(cls, topology: Topology, settings: Settings) -> AsyncGenerator["Store"]:
        """The same over a topology, which stays the caller's to close."""
        routes = Routes(topology, Limits.of(settings))
        scripts = Scripts.load(topology.flavour)
        try:
            first = cls(routes, scripts, 1)
            await first.reach()
            real = topology.flavour == "server"
            known = await check_servers(first, clustered=topology.clustered) if real else ()
            count = await agree_on_partitions(first, settings.partitions, topology.default_partitions)
            store = cls(routes, scripts, count)
            await store.reach()
            if real:
                await check_servers(store, clustered=topology.clustered, known=known)
            yield store
        finally:
            await routes.aclose()

    async def reach(self) -> None:
        """Finds the servers of the partitions. Raises `StoreUnavailable`."""
        await self._routes.find(self.tags)

    async def call(self, partition: int, *command: Argument, retry: bool = True) -> Reply:
        """Sends a plain command to the server of a partition.

        Args:
            partition: 0 to `partitions` - 1.
            command: its words; keys by their full name.
            retry: False for a command that must not be carried out twice when its reply is lost.

        Raises `StoreUnavailable`, `StoreFull`, `StoreMisconfigured` (refused by an ACL) or `ScriptFault` (a bug).
        """
        return await self._answer(partition, pack(command), str(command[0]), retry)

    async def script(self, partition: int, name: str, fixed: Sequence[Argument], items: Sequence[Item] = ()) -> Reply:
        """Runs a script in a partition. It is repeated when its reply is lost, so it must be idempotent.

        Args:
            partition: 0 to `partitions` - 1.
            name: the verb.
            fixed: values of its `--! args`.
            items: rows of its `--! item`.

        Raises as `call`; `ScriptFault` also when the values are not as many as the script takes.
        """
        script = self._scripts[name]
        values = script.arguments(fixed, items)
        packed = pack(("EVALSHA", script.sha, 1, self._keys[partition], *values))
        return await self._answer(partition, packed, script, True)

    def begin(
        self,
        partition: int,
        name: str,
        fixed: Sequence[Argument],
        items: Sequence[Item],
        done: Callable[[Reply, Exception | None], None],
    ) -> None:
        """Runs a script as `script` does, for a caller that is told instead of waiting: no task is made for the call.

        Args:
            done: called with the reply and `None`, or with `None` and what `script` would have raised.

        Raises `ScriptFault` when the values are not as many as the script takes.
        """
        script = self._scripts[name]
        values = script.arguments(fixed, items)
        packed = pack(("EVALSHA", script.sha, 1, self._keys[partition], *values))
        line, started = self._routes.lines[partition], self._loop.time()

        def landed(reply: ReplyFuture) -> None:
            error = reply.exception()
            if error is None:
                done(reply.result(), None)
            else:
                expires = started + self._routes.limits.patience
                call = Call(self._routes, partition, packed, script, True, expires, line)
                mending = self._loop.create_task(mend(call, error, done))
                self._mending.add(mending)
                mending.add_done_callback(self._mending.discard)

        line.submit(packed).add_done_callback(landed)

    def subscribe(self, *channels: str) -> AbstractAsyncContextManager[AsyncIterator[Message | None]]:
        """Messages of the channels, as `(channel, bytes)`, on a connection of its own.

        The iterator gives `None` each time it has (again) subscribed: messages may have been missed, so look anew.
        Read it with `async for`: cancelling a wait for the next message ends it.
        """
        return subscription(self._routes, channels)

    @asynccontextmanager
    async def dedicated(self, deadline: float | None = None) -> AsyncGenerator["Store"]:
        """The same store over connections of its own, for calls that must not queue behind others, or that block.

        Args:
            deadline: seconds a reply may take, longer than the longest block; `None` is that of this store.
        """
        limits = self._routes.limits
        own = Routes(self._routes.topology, replace(limits, deadline=deadline or limits.deadline))
        try:
            store = Store(own, self._scripts, self.partitions)
            await store.reach()
            yield store
        finally:
            await own.aclose()

    async def every_server(self, *command: Argument) -> dict[str, Reply]:
        """Sends a plain command to each server that holds a partition: address -> reply. Raises as `call`."""
        where = {line.where: index for index, line in enumerate(self._routes.lines)}
        return {name: await self.call(index, *command) for name, index in where.items()}

    async def _answer(self, partition: int, packed: bytes, what: Script | str, repeatable: bool) -> Reply:
        line = self._routes.lines[partition]
        started = self._loop.time()
        try:
            return await line.submit(packed)
        except (RedisError, Unanswered) as error:
            expires = started + self._routes.limits.patience
            return await Call(self._routes, partition, packed, what, repeatable, expires, line).after(error)


async def mend(call: Call, error: BaseException, done: Callable[[Reply, Exception | None], None]) -> None:
    """Sees a call through that has failed once, and tells what came of it."""
    try:
        if not isinstance(error, RedisError | Unanswered):
            raise error
        reply = await call.after(error)
    except Exception as final:
        done(None, final)
    else:
        done(reply, None)
