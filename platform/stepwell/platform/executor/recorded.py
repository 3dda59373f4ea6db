"""The steps of runs whose state is too large to come with a lease: read once, and kept for the next lease."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import StepRow

CHUNK = 64
"""Steps in one reply."""
ROW = 450
"""Bytes that a step takes beside its output: the objects it is made of, and its name."""

Rows = dict[bytes, StepRow]


class Recorded:
    """Keeps outcomes, which never change once they are recorded, so that a run that is resumed here reads what is new.

    Args:
        most: bytes to keep, of all runs together; those not resumed for the longest go first.
    """

    __slots__ = ("_kept", "_most", "_sizes", "size")

    def __init__(self, most: int) -> None:
        self.size = 0
        self._most = most
        self._kept: OrderedDict[str, Rows] = OrderedDict()
        self._sizes: dict[str, int] = {}

    async def read(self, partition: Partition, run: str) -> tuple[StepRow, ...]:
        """Every step of a run under our lease: nobody but timers writes to it meanwhile. Raises `StepwellError`."""
        rows = dict(self._kept.get(run, {}))
        key = partition.keys.name("k_steps", run)
        missing = [name for name in await partition.read("HKEYS", key) if name not in rows]
        for chunk in (missing[at : at + CHUNK] for at in range(0, len(missing), CHUNK)):
            rows.update(_parsed(chunk, await partition.read("HMGET", key, *chunk)))
        self._keep(run, {name: row for name, row in rows.items() if row.state in ("done", "failed")})
        return tuple(rows.values())

    def forget(self, run: str) -> None:
        """Drops what is kept of a run, for instance because it has ended."""
        self._kept.pop(run, None)
        self.size -= self._sizes.pop(run, 0)

    def _keep(self, run: str, rows: Rows) -> None:
        self.forget(run)
        size = sum(ROW + len(row.payload) for row in rows.values())
        if size > self._most:
            return
        self._kept[run], self._sizes[run] = rows, size
        self.size += size
        while self.size > self._most:
            self.forget(next(iter(self._kept)))


def _parsed(names: Sequence[bytes], values: Iterable[bytes | None]) -> Rows:
    return {name: StepRow.parse(name, value) for name, value in zip(names, values, strict=True) if value is not None}
