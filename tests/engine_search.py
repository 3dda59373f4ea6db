"""Faults to seed into the Lua scripts, one at a time, and the search for them."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import TypeVar, cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine

from stepwell.platform.store.scripts import LUA
from stepwell.platform.store.topology import Topology
from tests.engine_bench import Bench, store_over
from tests.engine_gates import Workbench
from tests.engine_scenarios import Scenario

M = TypeVar("M", bound=RuleBasedStateMachine)
STEPS = 40
UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
HURRIED = settings(deadline=None, stateful_step_count=STEPS, suppress_health_check=UNHURRIED, database=None)
SEARCH = settings(HURRIED, phases=[Phase.generate], derandomize=True)
"""Short tries with fixed seeds: what is looked for is one contradiction, not its smallest form."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A replacement of text in one script."""

    name: str
    file: str
    old: str
    new: str

    def plant(self, folder: Path) -> Path:
        """A copy of the scripts, in a folder of its own under `folder`, with the fault in it."""
        place = folder / self.name
        copytree(LUA, place)
        script = place / self.file
        text = script.read_text()
        assert text.count(self.old) == 1, f"{self.name}: {self.old!r} is not once in {self.file}"
        script.write_text(text.replace(self.old, self.new))
        return place


@contextmanager
def machine_over(machine: type[M], topology: Topology, partitions: int, folder: Path = LUA) -> Generator[type[M]]:
    """A stateful test on a workbench of its own."""
    bench = Workbench(topology, partitions, folder)
    try:
        yield cast("type[M]", type("Machine", (machine,), {"bench": bench}))
    finally:
        bench.close()


async def play(scenarios: Sequence[Scenario], topology: Topology, folder: Path) -> None:
    """Every scenario in turn; the first that fails ends it."""
    async with store_over(topology, folder) as store:
        for scenario in scenarios:
            bench = Bench(store)
            await bench.clear()
            await scenario(bench)
