"""The parts of the platform over one store, put together once per process."""

from dataclasses import dataclass

from stepwell.platform.bulk.jobs import Jobs
from stepwell.platform.clock import Clock
from stepwell.platform.cron.schedules import Schedules
from stepwell.platform.engine.partition import Partition, partitions_of
from stepwell.platform.engine.runs import Runs
from stepwell.platform.history import History
from stepwell.platform.ids import partition_of
from stepwell.platform.ingest import Ingest
from stepwell.platform.registry import Registry
from stepwell.platform.settings import Settings
from stepwell.platform.steering.steering import Steering
from stepwell.platform.store.store import Store
from stepwell.platform.waits.waits import Waits


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation of Stepwell as a process sees it. Make one with `Installation.over`, in the event loop."""

    settings: Settings
    clock: Clock
    store: Store
    partitions: tuple[Partition, ...]
    registry: Registry
    ingest: Ingest
    waits: Waits
    history: History
    runs: tuple[Runs, ...]
    schedules: Schedules
    steering: Steering
    bulk: Jobs

    @classmethod
    def over(cls, store: Store, settings: Settings, clock: Clock) -> "Installation":
        """The parts over an open store."""
        partitions = partitions_of(store, clock)
        registry = Registry(partitions)
        ingest = Ingest(partitions, registry, clock)
        patience = int(settings.cancel_patience * 1000)
        runs = tuple(Runs(partition, patience) for partition in partitions)
        return cls(
            settings,
            clock,
            store,
            partitions,
            registry,
            ingest,
            Waits.over(partitions, registry, ingest, settings, clock),
            History(partitions, registry),
            runs,
            Schedules(partitions, registry),
            Steering(partitions, runs, registry, settings, clock),
            Jobs(partitions[0]),
        )

    def runs_at(self, run: str) -> Runs:
        """The runs of the partition that holds `run`, an id that `History` knows."""
        return self.runs[partition_of(run)]
