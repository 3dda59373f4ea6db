"""Run headers, and the ids and names of their events, without what may be large: output, error, data of events."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, cast

from stepwell.platform.codec import decode
from stepwell.platform.engine.gathered import gathered_by
from stepwell.platform.engine.partition import Partition
from stepwell.platform.flow.controls import is_of_many
from stepwell.platform.ids import is_id, partition_of
from stepwell.platform.records import RunRecord

NAME_WITHIN = 2_048
_NAME = re.compile(rb'\n\{"name":("(?:[^"\\]|\\.)*")')


def home_in(partitions: Sequence[Partition], identifier: str) -> Partition | None:
    """The partition that an id lives in; `None` when it cannot be the id of anything here."""
    if not is_id(identifier) or partition_of(identifier) >= len(partitions):
        return None
    return partitions[partition_of(identifier)]


async def header_of(partition: Partition, run: str) -> RunRecord | None:
    """A run without output and error."""
    head, info = await partition.read("HMGET", partition.keys.name("k_run", run), "h", "i")
    return None if head is None else RunRecord.parse(run, {b"h": head, b"i": info})


async def whole_of(partition: Partition, run: str) -> RunRecord | None:
    """A run with output and error."""
    flat: list[bytes] = await partition.read("HGETALL", partition.keys.name("k_run", run))
    return RunRecord.parse(run, dict(zip(flat[::2], flat[1::2], strict=True))) if flat else None


async def headers_of(partitions: Sequence[Partition], runs: Sequence[str]) -> list[RunRecord | None]:
    """Runs without output and error, in the order asked for; `None` for one that is not kept any more."""
    return await asyncio.gather(*[header_of(partitions[partition_of(run)], run) for run in runs])


async def event_name(partition: Partition, event: str) -> str | None:
    """The name of an event, as kept in `partition`; its data is not read unless it started very many runs."""
    key = partition.keys.name("k_event", event)
    record: bytes = await partition.read("GETRANGE", key, 0, NAME_WITHIN)
    found = _NAME.search(record)
    if not found and len(record) > NAME_WITHIN:
        record = await partition.read("GET", key) or b""
        return _name_in(record)
    return cast(str, decode(found[1])) if found else _name_in(record)


async def runs_of_event(partition: Partition, event: str) -> list[str]:
    """Ids of the runs that an event has started or become part of, as kept in `partition`; its data is not read."""
    key = partition.keys.name("k_event", event)
    record: bytes = await partition.read("GETRANGE", key, 0, NAME_WITHIN)
    if b"\n" not in record and len(record) > NAME_WITHIN:
        record = await partition.read("GET", key) or b""
    told = record.partition(b"\n")[0].decode().split(" ")[-1]
    return [one for one in told.split(",") if one and "=" not in one]


async def events_of(partition: Partition, run: RunRecord) -> tuple[str, ...]:
    """Ids of all events of a run, oldest first; as many as a batch may have."""
    others = await gathered_by(partition, run.id) if is_of_many(run.options) else ()
    return (run.event, *others)


def _name_in(record: bytes) -> str | None:
    if not record:
        return None
    event: dict[str, Any] = decode(record.partition(b"\n")[2])
    return cast(str, event["name"])
