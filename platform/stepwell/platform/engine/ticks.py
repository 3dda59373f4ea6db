"""What time brings about in a partition: due timers, dead sessions, and the removal of what is old."""

from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition

BATCH = 64
IDLE = 1_000
"""The longest wait between two ticks in ms: a gap of 2 s tells the next tick that everything stood still."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did, and the ms until there is more to do."""

    fired: int
    reaped: int
    wait: int


class Ticks:
    """Ticks of one partition.

    `expiry`: ms of silence after which a session is dead. `patience`: ms an owner has to let go of a cancelled run.
    """

    __slots__ = ("_crash_limit", "_expiry", "_partition", "_patience")

    def __init__(self, partition: Partition, expiry: int, crash_limit: int, patience: int) -> None:
        self._partition = partition
        self._expiry = expiry
        self._crash_limit = crash_limit
        self._patience = patience

    async def tick(self) -> Ticked:
        """Fires up to 64 due timers and reaps up to 4 dead sessions, 16 runs each."""
        limits = BATCH, self._crash_limit, self._expiry, self._patience, IDLE
        fired, reaped, wait = await self._partition.script("tick", *limits)
        return Ticked(fired, reaped, wait)

    async def trim_runs(self, age: int) -> int:
        """Removes up to 64 runs that ended at least `age` ms ago, oldest first; answers how many."""
        return int(await self._partition.script("trim_runs", age, BATCH))

    async def trim_events(self, age: int) -> int:
        """Takes up to 64 events of at least `age` ms out of the log, oldest first; answers how many."""
        return int(await self._partition.script("trim_events", age, BATCH))
