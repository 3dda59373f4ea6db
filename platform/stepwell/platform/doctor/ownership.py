"""Every key has an owner that removes it: looks at all keys of a partition, and at who owns each."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType

from stepwell.platform.clock import Clock
from stepwell.platform.doctor.runs import AT_ONCE, Ailment
from stepwell.platform.engine.partition import Partition
from stepwell.platform.settings import Settings
from stepwell.platform.store.keys import KEY_NAMES, Keys

PAGE = 1_000
DAY = 86_400_000

OWNERS: Mapping[str, str] = MappingProxyType({"k_runs_of": "k_functions", "k_outbox": "k_outboxes"})
"""Name of a family of keys -> name of the set whose members they belong to."""

FORGOTTEN = frozenset(
    [
        "k_dedupe",
        "k_once",
        "k_signal",
        "k_heard",
        "k_rate",
        "k_throttle",
        "k_gathering",
        "k_decided",
        "k_counts",
        "k_asked",
        "k_ordered",
        "k_card",
    ]
)
"""Families of keys that go by their TTL."""


def family_of(keys: Keys, key: str) -> tuple[str, str] | None:
    """Name in `KEY_NAMES` of what a key is, and what comes behind it; `None` for a key that is none of ours."""
    rest = key.removeprefix(f"{{{keys.tag}}}")
    for name, middle in KEY_NAMES.items():
        if rest == middle or (middle.endswith(":") and rest.startswith(middle)):
            return name, rest.removeprefix(middle)
    return None


async def examine_keys(partition: Partition, settings: Settings, clock: Clock) -> list[Ailment]:
    """The keys without an owner. Goes through all keys of the partition's server."""
    oldest = clock.now() - int((settings.retention_days + 1) * DAY)
    found: list[Ailment] = []
    async for key in _keys(partition):
        what = await _unowned(partition, key, oldest)
        # Retention goes on meanwhile, and may just have removed the key with its owner.
        if what and await partition.read("EXISTS", key):
            found.append(Ailment(f"key {key}", what))
    return found


async def _keys(partition: Partition) -> AsyncIterator[str]:
    cursor, pattern = b"0", f"{{{partition.keys.tag}}}*"
    while True:
        page: Sequence[bytes]
        cursor, page = await partition.read("SCAN", cursor, "MATCH", pattern, "COUNT", PAGE)
        for key in page:
            yield key.decode()
        if cursor == b"0":
            return


async def _unowned(partition: Partition, key: str, oldest: int) -> str | None:
    """Why nobody will remove a key; `None` when somebody will."""
    known, keys = family_of(partition.keys, key), partition.keys
    if known is None:
        return "nothing of Stepwell is called like this"
    family, rest = known
    match family:
        case "k_run" | "k_steps" | "k_gathered" | "k_logs" | "k_progress" | "k_history":
            live = await partition.read("ZSCORE", keys.name("k_live"), rest)
            ended = await partition.read("ZSCORE", keys.name("k_ended"), rest)
            if live is not None or ended is not None:
                return None
            # What is put down before its run is there goes by itself.
            expires = family != "k_run" and await partition.read("TTL", key) >= 0
            return None if expires else "its run is neither live nor ended"
        case "k_session" | "k_executing" | "k_held" | "k_news":
            known_session = await partition.read("ZSCORE", keys.name("k_sessions"), rest)
            return "its session is not known" if known_session is None else None
        case "k_runs_of" | "k_outbox":
            member = await partition.read("SISMEMBER", keys.name(OWNERS[family]), rest)
            return None if member else f"{rest} is not listed"
        case "k_bulk" | "k_handled":
            listed = await partition.read("ZSCORE", keys.name("k_bulks"), rest)
            return "its bulk job is not listed" if listed is None else None
        case _ if family in FORGOTTEN:
            return "it never expires" if await partition.read("TTL", key) == -1 else None
        case "k_single":
            holder: bytes | None = await partition.read("GET", key)
            live = await partition.read("ZSCORE", keys.name("k_live"), holder or b"")
            return "the run that has this place has ended" if holder and live is None else None
        case "k_event":
            return await _unowned_event(partition, key, oldest)
        case _:
            return None


async def _unowned_event(partition: Partition, key: str, oldest: int) -> str | None:
    head: bytes = await partition.read("GETRANGE", key, 0, 64 * AT_ONCE)
    if not head:
        return None
    flag, received, _, runs = head.partition(b"\n")[0].split(b" ")
    if int(received) > oldest:
        return None
    if flag == b"L":
        return "it is older than events are kept"
    kept = [await partition.read("EXISTS", partition.keys.name("k_run", run)) for run in runs.decode().split(",")]
    return None if any(kept) else "none of its runs is kept"
