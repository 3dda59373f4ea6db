"""Which server holds which partition: one server, the master a Sentinel names, or the nodes of a cluster."""

from collections.abc import Sequence
from typing import Any, Protocol

from redis.asyncio import RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from stepwell.platform.errors import StoreMisconfigured
from stepwell.platform.store.address import FORMS, Address
from stepwell.platform.store.connection import Dial, Unanswered
from stepwell.platform.store.scripts import Flavour

# RESP 2: replies are the same on every server and on fakeredis. No socket timeout: our connection has a deadline.
WIRE: dict[str, Any] = {"protocol": 2, "socket_timeout": None, "socket_read_size": 1 << 16, "decode_responses": False}
# What is asked of Sentinels and for the slots of a cluster, through redis-py's own clients.
# Short, so that one that is cut off does not use up the time in which the others would have answered.
ASKING: dict[str, Any] = {"protocol": 2, "socket_timeout": 2.0, "socket_connect_timeout": 1.0}


class Topology(Protocol):
    """Knows the servers of one installation."""

    where: str
    flavour: Flavour
    clustered: bool
    default_partitions: int

    async def locate(self, tags: Sequence[str]) -> list[str]:
        """The name of the node that holds each hash tag now, asked anew.

        Raises `Unanswered`, or `StoreMisconfigured` when there is no such installation.
        """
        ...

    def dial(self, node: str) -> Dial:
        """How to connect to a node."""
        ...

    async def aclose(self) -> None:
        """Gives up what it holds."""
        ...


class Pooled:
    """One server at a time; a pool of redis-py makes its connections, and is used for nothing else."""

    flavour: Flavour = "server"
    clustered = False
    default_partitions = 1

    def __init__(self, where: str, pool: ConnectionPool) -> None:
        self.where = where
        self._pool = pool

    async def locate(self, tags: Sequence[str]) -> list[str]:
        """The same node for all."""
        return [self.where] * len(tags)

    def dial(self, node: str) -> Dial:
        """How to connect to the server, or to whichever is the master when the connection is made."""
        return self._pool.make_connection

    async def aclose(self) -> None:
        """Gives up the pool."""
        await self._pool.aclose()


class Watched(Pooled):
    """The master that Sentinels name, asked whenever a connection is made."""

    def __init__(self, address: Address) -> None:
        options = {name: value for name, value in address.options.items() if name not in {"host", "port"}}
        secure = options.pop("connection_class", Connection) is not Connection
        asking = {
            "username": options.pop("sentinel_username", None),
            "password": options.pop("sentinel_password", None),
            "ssl": secure,
            "retry": Retry(NoBackoff(), 0),  # the next Sentinel is asked instead
            **{name: value for name, value in options.items() if name.startswith("ssl_")},
        }
        self._sentinel = Sentinel(list(address.hosts), sentinel_kwargs=asking | ASKING)  # type: ignore[no-untyped-call]
        pool = SentinelConnectionPool(address.service, self._sentinel, ssl=secure, **(options | WIRE))  # type: ignore[no-untyped-call]
        super().__init__(address.where, pool)

    async def aclose(self) -> None:
        """Gives up the pool, and the connections to the Sentinels."""
        await super().aclose()
        await self._sentinel.aclose()


class Clustered:
    """The nodes of a Redis Cluster, as redis-py discovers them."""

    flavour: Flavour = "server"
    clustered = True
    default_partitions = 16

    def __init__(self, address: Address) -> None:
        self.where = address.where
        self._options = {name: value for name, value in address.options.items() if name not in {"host", "port", "db"}}
        self._kind = self._options.pop("connection_class", Connection)
        self._cluster = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
            require_full_coverage=False,
            ssl=self._kind is not Connection,
            **(self._options | ASKING),
        )

    async def locate(self, tags: Sequence[str]) -> list[str]:
        """The primary of each tag's slot, as the cluster says now."""
        try:
            await self._cluster.nodes_manager.initialize()
            nodes = [self._cluster.get_node_from_key(tag) for tag in tags]
        except (RedisError, RedisClusterException, OSError) as error:
            if "Cluster mode is not enabled" in str(error):
                raise StoreMisconfigured(f"Redis at {self.where} is not a cluster", "Write redis:// instead") from None
            raise Unanswered(str(error), sent=False) from None
        return [node.name for node in nodes if node is not None]

    def dial(self, node: str) -> Dial:
        """How to connect to the node called `host:port`."""
        host, _, port = node.rpartition(":")
        return ConnectionPool(self._kind, host=host, port=int(port), **(self._options | WIRE)).make_connection

    async def aclose(self) -> None:
        """Gives up the connections that discovery used."""
        nodes = self._cluster.nodes_manager
        await nodes.aclose("nodes_cache")
        await nodes.aclose("startup_nodes")


def topology_of(url: str) -> Topology:
    """The topology a URL names. Raises `StoreMisconfigured` for a URL that is none."""
    address = Address.parse(url)
    try:
        match address.kind:
            case "sentinel":
                return Watched(address)
            case "cluster":
                return Clustered(address)
            case "single":
                return pooled(address)
    except (TypeError, ValueError, RedisClusterException) as error:
        raise StoreMisconfigured(f"the options of {address.where} cannot be used: {error}", FORMS) from None


def pooled(address: Address) -> Pooled:
    """A single server, by TCP, TLS or unix socket."""
    options = dict(address.options)
    pool = ConnectionPool(options.pop("connection_class", Connection), **(options | WIRE))
    pool.make_connection()  # type: ignore[no-untyped-call]  # reports an unknown option now, instead of at each attempt to connect
    return Pooled(address.where, pool)
