"""Flow control, one rule at a time."""

from collections.abc import AsyncGenerator

import pytest

from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.topology import Topology, topology_of
from tests.engine_bench import Bench, store_over
from tests.engine_scenarios import Scenario
from tests.engine_scenarios_flow import SCENARIOS
from tests.redis_servers import Server


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
