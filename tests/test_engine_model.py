"""The engine against its oracle, and the oracle's test against seeded faults."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.engine_machine import EngineMachine
from tests.engine_mutants import MUTANTS, Mutant

from stepwell.platform.store.memory import Remembered
from stepwell.platform.store.scripts import LUA
from stepwell.platform.store.topology import Topology, topology_of

STEPS = 40
UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
HURRIED = settings(deadline=None, stateful_step_count=STEPS, suppress_health_check=UNHURRIED, database=None)


def machine(where: Callable[[], Topology], scripts: Path = LUA) -> type[EngineMachine]:
    class Machine(EngineMachine):
        folder = scripts
        topology = staticmethod(where)

    return Machine


def test_the_engine_does_what_its_oracle_says_in_memory() -> None:
    run_state_machine_as_test(machine(Remembered), settings=settings(HURRIED, max_examples=5))


@pytest.mark.slow
def test_the_engine_does_what_its_oracle_says(redis_url: str) -> None:
    run_state_machine_as_test(machine(lambda: topology_of(redis_url)), settings=settings(HURRIED, max_examples=100))


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_seeded_fault_is_found(mutant: Mutant, redis_url: str, tmp_path: Path) -> None:
    broken = machine(lambda: topology_of(redis_url), mutant.plant(tmp_path))
    # Many short tries with fixed seeds: what is looked for is one contradiction, not its smallest form.
    search = settings(HURRIED, max_examples=400, phases=[Phase.generate], derandomize=True)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - any contradiction will do: an assertion, or a fault of a script
        run_state_machine_as_test(broken, settings=search)
