"""Runs that an event has started in another partition and that are still on their way there."""

from collections.abc import Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import time_of
from stepwell.platform.records import RunRecord, Status

CHUNK = 500


async def undelivered(home: Partition, event: str, target: int) -> dict[str, RunRecord]:
    """The runs of `event`, at home in `home`, that the partition `target` has not been told of: as queued."""
    found: dict[str, RunRecord] = {}
    start = "-"
    while True:
        key = home.keys.name("k_outbox", str(target))
        rows: Sequence[tuple[bytes, list[bytes]]] = await home.read("XRANGE", key, start, "+", "COUNT", CHUNK)
        runs = [_queued(fields) for _, fields in rows]
        found.update({run.id: run for run in runs if run.event == event})
        if len(rows) < CHUNK:
            return found
        start = f"({rows[-1][0].decode()}"


def _queued(fields: Sequence[bytes]) -> RunRecord:
    row = dict(zip(fields[::2], map(bytes.decode, fields[1::2]), strict=True))
    return RunRecord(
        id=row[b"run"],
        status=Status.QUEUED,
        lane=row[b"lane"],
        event=row[b"event"],
        version=row[b"version"],
        token="-",  # noqa: S106  # void, as in lua/include/heads.lua
        turn=0,
        steps=0,
        bytes=0,
        pending=0,
        crashes=0,
        attempt=0,
        notbefore=int(row[b"due"]),
        cancel=0,
        created=time_of(row[b"run"]),
        started=0,
        ended=0,
        output=b"",
        error=b"",
    )
