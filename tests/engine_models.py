"""All by which a part of the engine is judged: random histories, scenarios, and faults that these have to find."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from stepwell.platform.store.topology import Topology
from tests import (
    engine_bulk_mutants,
    engine_cron_mutants,
    engine_flow_mutants,
    engine_history_mutants,
    engine_logs_mutants,
    engine_mutants,
    engine_scenarios,
    engine_scenarios_bulk,
    engine_scenarios_counts,
    engine_scenarios_cron,
    engine_scenarios_flow,
    engine_scenarios_history,
    engine_scenarios_logs,
    engine_scenarios_steering,
    engine_scenarios_waits,
    engine_steering_mutants,
    engine_waits_mutants,
)
from tests.engine_cron_machine import CronMachine
from tests.engine_flow_machine import FlowMachine
from tests.engine_machine import EngineMachine
from tests.engine_scenarios import Scenario
from tests.engine_search import HURRIED, SEARCH, Mutant, machine_over, play
from tests.engine_steering_machine import SteeringMachine
from tests.engine_waits_machine import WaitsMachine


@dataclass(frozen=True, slots=True)
class Model:
    """What a part of the engine has to be like.

    Args:
        name: of the part.
        machine: its random histories.
        scenarios: directed ones.
        mutants: faults to seed.
        memory: histories in memory.
        server: histories on a server.
        soak: the same in a soak.
        search: histories in which a seeded fault has to show, when no scenario has shown it.
        partitions: numbers of partitions to have them with.
    """

    name: str
    machine: type[RuleBasedStateMachine]
    scenarios: Sequence[Scenario]
    mutants: Sequence[Mutant]
    memory: int
    server: int
    soak: int
    search: int
    partitions: tuple[int, ...] = (1, 3)

    def try_histories(self, topology: Topology, partitions: int, examples: int) -> None:
        """Raises what contradicts itself in one of so many histories, with the shortest that is found."""
        with machine_over(self.machine, topology, partitions) as machine:
            run_state_machine_as_test(machine, settings=settings(HURRIED, max_examples=examples))

    def look_for_faults(self, topology: Topology, folder: Path) -> None:
        """Raises the first contradiction of the scripts in a folder."""
        asyncio.run(play(self.scenarios, topology, folder))
        for partitions in self.partitions:
            with machine_over(self.machine, topology, partitions, folder) as machine:
                run_state_machine_as_test(machine, settings=settings(SEARCH, max_examples=self.search))


MODELS = (
    Model(
        "engine",
        EngineMachine,
        (
            *engine_scenarios_counts.SCENARIOS,
            *engine_scenarios.SCENARIOS,
            *engine_scenarios_logs.SCENARIOS,
            *engine_scenarios_history.SCENARIOS,
        ),
        (*engine_mutants.MUTANTS, *engine_logs_mutants.MUTANTS, *engine_history_mutants.MUTANTS),
        5,
        40,
        1_500,
        30,
        (1,),
    ),
    Model("waits", WaitsMachine, engine_scenarios_waits.SCENARIOS, engine_waits_mutants.MUTANTS, 8, 40, 1_500, 40),
    Model("schedules", CronMachine, engine_scenarios_cron.SCENARIOS, engine_cron_mutants.MUTANTS, 4, 12, 2_000, 8),
    Model(
        "steering",
        SteeringMachine,
        (*engine_scenarios_bulk.SCENARIOS, *engine_scenarios_steering.SCENARIOS),
        (*engine_steering_mutants.MUTANTS, *engine_bulk_mutants.MUTANTS),
        4,
        8,
        1_000,
        4,
    ),
    Model("flow-control", FlowMachine, engine_scenarios_flow.SCENARIOS, engine_flow_mutants.MUTANTS, 4, 6, 1_500, 20),
)
