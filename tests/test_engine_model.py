"""The engine against its oracle; and scenarios and oracle against seeded faults, each of which has to be found."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.scripts import LUA
from stepwell.platform.store.topology import Topology, topology_of
from tests.engine_bench import Bench, store_over
from tests.engine_machine import EngineMachine, Workbench
from tests.engine_mutants import MUTANTS, Mutant
from tests.engine_scenarios import SCENARIOS
from tests.redis_servers import Server

STEPS = 40
UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
HURRIED = settings(deadline=None, stateful_step_count=STEPS, suppress_health_check=UNHURRIED, database=None)


@contextmanager
def machine_over(topology: Topology, folder: Path = LUA) -> Generator[type[EngineMachine]]:
    workbench = Workbench(topology, folder)

    class Machine(EngineMachine):
        bench = workbench

    try:
        yield Machine
    finally:
        workbench.close()


def test_the_engine_does_what_its_oracle_says_in_memory() -> None:
    with machine_over(Remembered()) as machine:
        run_state_machine_as_test(machine, settings=settings(HURRIED, max_examples=5))


@pytest.mark.slow
def test_the_engine_does_what_its_oracle_says(redis_server: Server, request: pytest.FixtureRequest) -> None:
    examples = 1_500 if request.config.getoption("--soak") else 40
    with machine_over(topology_of(redis_server.url)) as machine:
        run_state_machine_as_test(machine, settings=settings(HURRIED, max_examples=examples))


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_fault_is_found(mutant: Mutant, redis_server: Server, tmp_path: Path) -> None:
    planted = mutant.plant(tmp_path)
    # Any contradiction will do: an assertion, a refusal, or a fault of a script.
    with pytest.raises(BaseException):  # noqa: B017, PT011
        look_for_faults(topology_of(redis_server.url), planted)


def test_every_fault_can_be_seeded(tmp_path: Path) -> None:
    for mutant in MUTANTS:
        mutant.plant(tmp_path)


@pytest.mark.slow
def test_no_fault_is_found_where_none_was_seeded(redis_server: Server) -> None:
    look_for_faults(topology_of(redis_server.url), LUA)


def look_for_faults(topology: Topology, folder: Path) -> None:
    asyncio.run(scenarios(topology, folder))
    # Short tries with fixed seeds: what is looked for is one contradiction, not its smallest form.
    search = settings(HURRIED, max_examples=30, phases=[Phase.generate], derandomize=True)
    with machine_over(topology, folder) as machine:
        run_state_machine_as_test(machine, settings=search)


async def scenarios(topology: Topology, folder: Path) -> None:
    """Every scenario in turn; the first that fails ends it."""
    async with store_over(topology, folder) as store:
        for scenario in SCENARIOS:
            bench = Bench(store)
            await bench.clear()
            await scenario(bench)
