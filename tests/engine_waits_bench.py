"""Errands on a bench: what waits need done, by nobody until it is asked for."""

from collections.abc import Sequence
from typing import Any

from stepwell.platform.clock import Clock
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ingest import Ingest
from stepwell.platform.outbox import Outbox
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.waits.waits import Waits
from tests.engine_gates import Gate

SETTINGS = Settings()


async def errands(gate: Gate, clock: Clock, registry: Registry, home: int) -> None:
    """Does the errands of a partition, as another process."""
    partitions = partitions_of(gate, clock)
    outbox = Outbox(partitions[home], [Runs(partition, 0) for partition in partitions])
    await outbox.empty()
    await errands_over(partitions, registry, clock).errands[home].empty()


def errands_over(partitions: Sequence[Partition], registry: Registry, clock: Clock) -> Waits:
    """The parts that do errands; nothing hurries them."""
    return Waits.over(partitions, registry, ingest_over(partitions, registry, clock), SETTINGS, clock)


class Slow(Ingest):
    """Takes events in, and leaves to others what follows from them."""

    __slots__ = ()

    def __init__(self, partitions: Sequence[Partition], registry: Registry, clock: Clock) -> None:
        super().__init__(partitions, registry, clock)
        self._outboxes = None

    def connect(self, hurry: Any) -> None:
        """See `Ingest`."""


def ingest_over(partitions: Sequence[Partition], registry: Registry, clock: Clock) -> Ingest:
    """Takes events in; their runs elsewhere and their waits are left to be seen to."""
    return Slow(partitions, registry, clock)
