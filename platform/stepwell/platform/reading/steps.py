"""The recorded steps of a run."""

from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import RunRecord, StepRow

AT_ONCE = 1 << 20
"""Bytes of steps up to which they are read in one command."""
CHUNK = 64


async def steps_of(partition: Partition, run: RunRecord) -> list[StepRow]:
    """The steps of a run in the order in which they began; large ones are read in pieces."""
    key = partition.keys.name("k_steps", run.id)
    rows = await (_whole(partition, key) if run.bytes <= AT_ONCE else _in_pieces(partition, key))
    return sorted((StepRow.parse(name, row) for name, row in rows.items()), key=_begun)


async def _whole(partition: Partition, key: str) -> dict[bytes, bytes]:
    flat: list[bytes] = await partition.read("HGETALL", key)
    return dict(zip(flat[::2], flat[1::2], strict=True))


async def _in_pieces(partition: Partition, key: str) -> dict[bytes, bytes]:
    rows: dict[bytes, bytes] = {}
    cursor = b"0"
    while True:
        cursor, flat = await partition.read("HSCAN", key, cursor, "COUNT", CHUNK)
        rows.update(zip(flat[::2], flat[1::2], strict=True))
        if cursor == b"0":
            return rows


def _begun(row: StepRow) -> tuple[int, int, str]:
    # A step that waits has no turn yet: it comes after those that began in the same ms and are done.
    return row.started, row.turn or 1 << 62, row.key
