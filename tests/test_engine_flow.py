"""Flow control against random histories; and its scenarios and seeded faults."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.scripts import LUA
from stepwell.platform.store.topology import Topology, topology_of
from tests.engine_bench import Bench, store_over
from tests.engine_flow_machine import FlowMachine
from tests.engine_flow_mutants import MUTANTS
from tests.engine_scenarios import Scenario
from tests.engine_scenarios_flow import SCENARIOS
from tests.engine_search import HURRIED, SEARCH, Mutant, machine_over, play
from tests.redis_servers import Server


@pytest.mark.parametrize("partitions", [1, 3])
def test_histories_of_flow_control_are_as_they_should_be(
    redis_server: Server, partitions: int, request: pytest.FixtureRequest
) -> None:
    examples = 1_500 if request.config.getoption("--soak") else 6
    with machine_over(FlowMachine, topology_of(redis_server.url), partitions) as machine:
        run_state_machine_as_test(machine, settings=settings(HURRIED, max_examples=examples))


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("partitions", [1, 3])
def test_histories_of_flow_control_are_as_they_should_be_in_memory(partitions: int) -> None:
    with machine_over(FlowMachine, Remembered(), partitions) as machine:
        run_state_machine_as_test(machine, settings=settings(HURRIED, max_examples=4))


@pytest.fixture(params=["memory", "redis", "valkey"])
async def bench(request: pytest.FixtureRequest) -> AsyncGenerator[Bench]:
    """An empty engine of two partitions."""
    if request.param == "memory":
        topology: Topology = Remembered()
    else:
        server: Server = request.getfixturevalue(f"{request.param}_server")
        topology = topology_of(server.url)
    async with store_over(topology) as store:
        bench = Bench(store)
        await bench.clear()
        yield bench


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_a_rule_of_flow_control_is_kept(bench: Bench, scenario: Scenario) -> None:
    await scenario(bench)


def test_every_fault_of_flow_control_can_be_seeded(tmp_path: Path) -> None:
    for mutant in MUTANTS:
        mutant.plant(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_fault_of_flow_control_is_found(mutant: Mutant, redis_server: Server, tmp_path: Path) -> None:
    planted = mutant.plant(tmp_path)
    # Any contradiction will do: an assertion, a refusal, or a fault of a script.
    with pytest.raises(BaseException):  # noqa: B017, PT011
        look_for_faults(topology_of(redis_server.url), planted)


@pytest.mark.slow
def test_no_fault_of_flow_control_is_found_where_none_was_seeded(redis_server: Server) -> None:
    look_for_faults(topology_of(redis_server.url), LUA)


def look_for_faults(topology: Topology, folder: Path) -> None:
    asyncio.run(play(SCENARIOS, topology, folder))
    for partitions in (1, 3):
        with machine_over(FlowMachine, topology, partitions, folder) as machine:
            run_state_machine_as_test(machine, settings=settings(SEARCH, max_examples=20))
