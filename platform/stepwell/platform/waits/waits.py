"""The parts that see to waits for events and for other runs, put together once per process."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from stepwell.platform.clock import Clock
from stepwell.platform.engine.partition import Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.ingest import Ingest
from stepwell.platform.registry import Registry
from stepwell.platform.retention import DAY
from stepwell.platform.settings import Settings
from stepwell.platform.waits.aftermath import Aftermath
from stepwell.platform.waits.awaiting import Awaiting
from stepwell.platform.waits.enlisting import Enlisting
from stepwell.platform.waits.errands import AllErrands, Errands
from stepwell.platform.waits.hearing import Hearing
from stepwell.platform.waits.index import Index
from stepwell.platform.waits.invoking import Invoking
from stepwell.platform.waits.signals import Signals


@dataclass(frozen=True, slots=True)
class Waits:
    """What a process needs to let runs wait.

    Args:
        awaiting: which events may be waited for.
        invoking: starts children.
        signals: who waits for which.
        errands: what has to be done for it, elsewhere and later.
        partitions: how many there are.
    """

    awaiting: Awaiting
    invoking: Invoking
    signals: Signals
    errands: AllErrands
    partitions: int

    @classmethod
    def over(
        cls, partitions: Sequence[Partition], registry: Registry, ingest: Ingest, settings: Settings, clock: Clock
    ) -> Self:
        """The parts over the partitions; from now on, what `ingest` accepts ends waits at once."""
        runs = [Runs(partition, int(settings.cancel_patience * 1000)) for partition in partitions]
        index = Index(partitions, int(settings.retention_days * DAY))
        enlisting, invoking = Enlisting(partitions, runs, index), Invoking(runs, registry, clock)
        errands = AllErrands(
            [
                Errands(
                    partition,
                    index,
                    enlisting,
                    invoking,
                    Hearing(partition, partitions, runs, index, enlisting),
                    Aftermath(partition, runs, registry, ingest),
                )
                for partition in partitions
            ]
        )
        ingest.connect(errands.hurry)
        signals = Signals(partitions, runs, clock)
        return cls(Awaiting(partitions, registry, index), invoking, signals, errands, len(partitions))
