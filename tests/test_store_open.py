"""Opening a store: addresses, checks of the server, the number of partitions."""

from pathlib import Path

import pytest
from redis.crc import key_slot

from stepwell.platform.errors import StoreMisconfigured, StoreUnavailable
from stepwell.platform.settings import Settings
from stepwell.platform.store.address import Address
from stepwell.platform.store.installation import check_version, facts_of
from stepwell.platform.store.memory import Remembered, memory_store
from stepwell.platform.store.store import Store
from tests.redis_servers import Server


@pytest.mark.parametrize(
    ("url", "kind", "hosts", "where"),
    [
        ("redis://h:1/3", "single", (("h", 1),), "redis://h:1/3"),
        ("rediss://u:p@h", "single", (("h", 6379),), "rediss://h"),
        ("unix://:p@/run/r.sock?db=2", "single", (), "unix:///run/r.sock"),
        ("redis+sentinel://:p@a,b:2/main/", "sentinel", (("a", 26379), ("b", 2)), "redis+sentinel://a,b:2/main/"),
        ("redis+cluster://[::1]:7,b", "cluster", (("::1", 7), ("b", 6379)), "redis+cluster://[::1]:7,b"),
    ],
)
def test_urls_say_what_listens_and_keep_secrets(
    url: str, kind: str, hosts: tuple[tuple[str, int], ...], where: str
) -> None:
    address = Address.parse(url)
    assert (address.kind, address.hosts, address.where) == (kind, hosts, where)


def test_options_of_a_url_reach_the_connection() -> None:
    options = Address.parse("redis+cluster://u:p%40@a,b?ssl_check_hostname=no&client_name=x").options
    assert (options["username"], options["password"], options["client_name"]) == ("u", "p@", "x")
    assert options["ssl_check_hostname"] is False


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://h", "'http' is no scheme of a Redis URL"),
        ("h:6379", "'h:6379' is no scheme"),
        ("redis+sentinel://h:1", "name of the service is missing"),
        ("redis+cluster://h:x", "cannot be read"),
        ("redis+cluster://a,,b", "'' is no host"),
        ("redis://h/0?colour=blue", "the options of redis://h/0 cannot be used"),
    ],
)
async def test_a_wrong_url_says_what_is_wrong(url: str, says: str) -> None:
    with pytest.raises(StoreMisconfigured) as caught:
        async with Store.open(Settings(redis_url=url)):
            pass
    assert says in str(caught.value)


async def test_without_any_server_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreMisconfigured, match=r"Start `stepwell dev` there, or set STEPWELL_REDIS_URL"):
        async with Store.open(Settings(data_dir=tmp_path / "none")):
            pass
    assert not (tmp_path / "none").exists(), "looking makes no directory"


async def test_a_server_out_of_reach_is_named(short_path: Path) -> None:
    settings = Settings(redis_url=f"unix://{short_path}/nobody", redis_patience=0.1)
    with pytest.raises(StoreUnavailable, match=r"Redis at unix://.*/nobody is unavailable: .*No such file"):
        async with Store.open(settings):
            pass


async def test_a_server_that_may_evict_is_refused(redis_server: Server) -> None:
    redis_server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(StoreMisconfigured, match="Set `maxmemory-policy noeviction`"):
            async with Store.open(Settings(redis_url=redis_server.url)):
                pass
    finally:
        redis_server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")


async def test_a_server_without_append_only_is_warned_of(
    own_server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Store.open(Settings(redis_url=own_server.url)):
        assert "append-only" not in capsys.readouterr().out
    own_server.ask("CONFIG", "SET", "appendonly", "no")
    async with Store.open(Settings(redis_url=own_server.url)):
        assert "append-only is off" in capsys.readouterr().out


@pytest.mark.parametrize("version", ["6.2.14", "3.0.0", ""])
def test_an_old_server_is_refused(version: str) -> None:
    with pytest.raises(StoreMisconfigured, match=r"Stepwell needs Redis 7\.0 or Valkey"):
        check_version("h", facts_of(b"# Server\r\nredis_version:%s\r\n" % version.encode()))


@pytest.mark.parametrize("version", ["7.0.0", "7.2.4", "8.6.1", "10.0.0"])
def test_a_new_server_is_welcome(version: str) -> None:
    check_version("h", {"redis_version": version})


async def test_the_number_of_partitions_is_fixed_at_the_first_start(redis_server: Server) -> None:
    async with Store.open(Settings(redis_url=redis_server.url, partitions=4)) as store:
        assert store.partitions == 4
        assert [key_slot(tag.encode()) * 4 // 16384 for tag in store.tags] == [0, 1, 2, 3]
    async with Store.open(Settings(redis_url=redis_server.url)) as store:
        assert store.partitions == 4
    with pytest.raises(StoreMisconfigured, match="STEPWELL_PARTITIONS is 8, but this installation has 4 partitions"):
        async with Store.open(Settings(redis_url=redis_server.url, partitions=8)):
            pass


async def test_a_single_server_has_one_partition_unless_told_otherwise(store: Store) -> None:
    assert store.partitions == 1


async def test_stores_over_one_memory_share_it() -> None:
    memory = Remembered()
    async with memory_store(memory=memory) as first, memory_store(memory=memory) as second:
        await first.call(0, "SET", "{sw0}:x", "y")
        assert await second.call(0, "GET", "{sw0}:x") == b"y"


async def test_replies_are_the_same_everywhere(store: Store) -> None:
    await store.call(0, "HSET", "{sw0}:h", "a", 1, "b", 2.5)
    await store.call(0, "ZADD", "{sw0}:z", 1.5, "m")
    assert await store.call(0, "HGETALL", "{sw0}:h") == [b"a", b"1", b"b", b"2.5"]
    assert await store.call(0, "ZRANGE", "{sw0}:z", 0, -1, "WITHSCORES") == [b"m", b"1.5"]
    assert await store.call(0, "GET", "{sw0}:none") is None
    assert await store.call(0, "EXISTS", "{sw0}:h") == 1


async def test_every_server_is_asked_once(store: Store) -> None:
    assert await store.every_server("PING") == {store.where: b"PONG"}
