"""The engine against random histories and scenarios; and these against seeded faults, each of which has to be found."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.scripts import LUA
from stepwell.platform.store.topology import Topology, topology_of
from tests.engine_bench import Bench, store_over
from tests.engine_models import MODELS, Model
from tests.engine_scenarios import Scenario
from tests.engine_search import Mutant
from tests.redis_servers import Server

MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
MODEL_AND_PARTITIONS = pytest.mark.parametrize(
    ("model", "partitions"),
    [pytest.param(model, count, id=f"{model.name}-{count}") for model in MODELS for count in model.partitions],
)
MODEL_AND_MUTANT = pytest.mark.parametrize(
    ("model", "mutant"),
    [pytest.param(model, mutant, id=f"{model.name}-{mutant.name}") for model in MODELS for mutant in model.mutants],
)
SCENARIO = pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=f"{model.name}-{scenario.__name__}")
        for model in MODELS
        for scenario in model.scenarios
    ],
)


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


@SCENARIO
async def test_a_rule_is_kept(bench: Bench, scenario: Scenario) -> None:
    await scenario(bench)


@MODEL_AND_PARTITIONS
def test_histories_are_as_they_should_be_in_memory(model: Model, partitions: int) -> None:
    model.try_histories(Remembered(), partitions, model.memory)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@MODEL_AND_PARTITIONS
def test_histories_are_as_they_should_be(
    model: Model, partitions: int, redis_server: Server, request: pytest.FixtureRequest
) -> None:
    examples = model.soak if request.config.getoption("--soak") else model.server
    model.try_histories(topology_of(redis_server.url), partitions, examples)


@MODEL
def test_every_fault_can_be_seeded(model: Model, tmp_path: Path) -> None:
    for mutant in model.mutants:
        mutant.plant(tmp_path)


@pytest.mark.slow
@pytest.mark.apart
@MODEL_AND_MUTANT
def test_a_seeded_fault_is_found(model: Model, mutant: Mutant, redis_server: Server, tmp_path: Path) -> None:
    planted = mutant.plant(tmp_path)
    # Any contradiction will do: an assertion, a refusal, or a fault of a script.
    with pytest.raises(BaseException) as found:  # noqa: PT011
        model.look_for_faults(topology_of(redis_server.url), planted)
    # One that shows only in that the time of this test is up was not found.
    assert "from pytest-timeout" not in str(found.value), found.value


@pytest.mark.slow
@MODEL
def test_no_fault_is_found_where_none_was_seeded(model: Model, redis_server: Server) -> None:
    model.look_for_faults(topology_of(redis_server.url), LUA)
