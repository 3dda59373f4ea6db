"""The engine against its oracle; and scenarios and oracle against seeded faults, each of which has to be found."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.scripts import LUA
from stepwell.platform.store.topology import Topology, topology_of
from tests.engine_machine import EngineMachine
from tests.engine_mutants import MUTANTS
from tests.engine_scenarios import SCENARIOS
from tests.engine_search import HURRIED, SEARCH, Mutant, machine_over, play
from tests.redis_servers import Server


def test_the_engine_does_what_its_oracle_says_in_memory() -> None:
    with machine_over(EngineMachine, Remembered(), 1) as machine:
        run_state_machine_as_test(machine, settings=settings(HURRIED, max_examples=5))


@pytest.mark.slow
def test_the_engine_does_what_its_oracle_says(redis_server: Server, request: pytest.FixtureRequest) -> None:
    examples = 1_500 if request.config.getoption("--soak") else 40
    with machine_over(EngineMachine, topology_of(redis_server.url), 1) as machine:
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
    asyncio.run(play(SCENARIOS, topology, folder))
    with machine_over(EngineMachine, topology, 1, folder) as machine:
        run_state_machine_as_test(machine, settings=settings(SEARCH, max_examples=30))
