"""What a Redis URL says: which kind of installation, which hosts, which connection options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio.connection import parse_url

from stepwell.platform.errors import StoreMisconfigured

Kind: TypeAlias = Literal["single", "sentinel", "cluster"]
Host: TypeAlias = tuple[str, int]

KINDS: Mapping[str, tuple[str, Kind]] = {
    "redis": ("redis", "single"),
    "rediss": ("rediss", "single"),
    "unix": ("unix", "single"),
    "redis+sentinel": ("redis", "sentinel"),
    "rediss+sentinel": ("rediss", "sentinel"),
    "redis+cluster": ("redis", "cluster"),
    "rediss+cluster": ("rediss", "cluster"),
}
FORMS = (
    "write redis://host:6379/0, rediss://…, unix:///path, redis+sentinel://host:26379,host:26379/service "
    "or redis+cluster://host:6379,host:6379"
)
PORTS: Mapping[Kind, int] = {"single": 6379, "sentinel": 26379, "cluster": 6379}


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL.

    Args:
        kind: what listens there.
        where: the URL without its secrets, for messages.
        hosts: the Sentinels or cluster nodes to ask first; for a single server its own host.
        service: name of the master Sentinel watches.
        options: arguments of redis-py connections, from the user part and the query (`?ssl_ca_certs=…`);
            `sentinel_username` and `sentinel_password` are for the Sentinels themselves.
    """

    kind: Kind
    where: str
    hosts: tuple[Host, ...]
    service: str
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Parses a URL. Raises `StoreMisconfigured` when it is none of the known forms."""
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in KINDS:
            raise StoreMisconfigured(f"{scheme!r} is no scheme of a Redis URL", FORMS)
        plain, kind = KINDS[scheme]
        try:
            return split(f"{plain}://{rest}", kind, scheme)
        except ValueError as error:
            raise StoreMisconfigured(f"the Redis URL cannot be read: {error}", FORMS) from None


def split(url: str, kind: Kind, scheme: str) -> Address:
    """The parts of a URL whose scheme redis-py knows. Raises ValueError."""
    parts = urlsplit(url)
    user, at, netloc = parts.netloc.rpartition("@")
    hosts = tuple(host(item, PORTS[kind]) for item in netloc.split(",")) if scheme != "unix" else ()
    service = parts.path.strip("/") if kind == "sentinel" else ""
    if kind == "sentinel" and not service:
        raise ValueError("the name of the service is missing behind the Sentinels")
    path = "" if kind == "sentinel" else parts.path
    # redis-py reads one host only, so it gets the first; user, database and options are the same for all.
    first = netloc.split(",")[0]
    options = dict(parse_url(urlunsplit((parts.scheme, f"{user}{at}{first}", path, parts.query, ""))))
    where = f"{scheme}://{netloc}{parts.path}"
    return Address(kind, where, hosts, service, options)


def host(text: str, port: int) -> Host:
    """`host`, `host:port` or `[v6]:port`. Raises ValueError."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{text!r} is no host")
    return parts.hostname, parts.port or port
