"""What a worker keeps of runs with much state between two leases."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from stepwell.platform.clock import SystemClock
from stepwell.platform.engine.partition import Argument, Partition
from stepwell.platform.executor.recorded import ROW, Recorded
from stepwell.platform.ids import new_id
from stepwell.platform.store.keys import Keys
from stepwell.platform.store.store import Store


@dataclass(frozen=True, slots=True)
class Watched(Partition):
    """A partition that notes which steps are read."""

    seen: list[str] = field(default_factory=list[str])

    async def read(self, *command: Argument) -> Any:
        if command[0] == "HMGET":
            self.seen.extend(name.decode() for name in command[2:] if isinstance(name, bytes))
        return await self.store.call(self.index, *command)

    def taken(self) -> list[str]:
        """What was read since the last time."""
        names = sorted(self.seen)
        self.seen.clear()
        return names

    async def write(self, run: str, **steps: str) -> None:
        """Writes steps of a run: state and payload."""
        for name, step in steps.items():
            state, payload = step.split(" ", 1)
            row = f"{state} run 1 1 0 0 0\n{payload}"
            await self.store.call(self.index, "HSET", self.keys.name("k_steps", run), name, row)


@pytest.fixture
def partition(store: Store) -> Watched:
    return Watched(store, SystemClock(), 0, Keys(store.tags[0]))


async def payloads(recorded: Recorded, partition: Watched, run: str) -> dict[str, str]:
    return {row.key: row.payload.decode() for row in await recorded.read(partition, run)}


async def test_a_run_that_is_resumed_reads_what_is_new_and_what_may_have_changed(partition: Watched) -> None:
    recorded, run = Recorded(10_000), new_id(1)
    await partition.write(run, a="done A", b="failed B", nap="pending ", flaky="retrying no")
    assert await payloads(recorded, partition, run) == {"a": "A", "b": "B", "nap": "", "flaky": "no"}
    assert partition.taken() == ["a", "b", "flaky", "nap"]
    await partition.write(run, nap="done slept", flaky="done yes", c="done C")
    assert await payloads(recorded, partition, run) == {"a": "A", "b": "B", "nap": "slept", "flaky": "yes", "c": "C"}
    assert partition.taken() == ["c", "flaky", "nap"]
    assert await payloads(recorded, partition, run) == {"a": "A", "b": "B", "nap": "slept", "flaky": "yes", "c": "C"}
    assert partition.taken() == []


async def test_many_steps_are_read_whole(partition: Watched) -> None:
    run = new_id(1)
    steps = {f"s{index}": f"done {index}" for index in range(200)}
    await partition.write(run, **steps)
    assert await payloads(Recorded(0), partition, run) == {name: step[5:] for name, step in steps.items()}


async def test_the_runs_not_resumed_for_the_longest_go_first(partition: Watched) -> None:
    recorded = Recorded(2 * ROW + 250)
    first, second, third = new_id(1), new_id(2), new_id(3)
    for run in (first, second, third):
        await partition.write(run, a="done " + "x" * 99)
    for run in (first, second, first, third):
        await recorded.read(partition, run)
    partition.taken()
    assert recorded.size == 2 * ROW + 198
    await recorded.read(partition, first)
    assert partition.taken() == []
    await recorded.read(partition, second)
    assert partition.taken() == ["a"]


async def test_a_run_over_the_bound_is_not_kept_and_drives_nobody_out(partition: Watched) -> None:
    recorded, small, large = Recorded(ROW + 150), new_id(1), new_id(2)
    await partition.write(small, a="done " + "x" * 99)
    await partition.write(large, a="done " + "x" * 199)
    await recorded.read(partition, small)
    await recorded.read(partition, large)
    partition.taken()
    await recorded.read(partition, small)
    assert partition.taken() == []
    await recorded.read(partition, large)
    assert partition.taken() == ["a"]


async def test_what_is_forgotten_takes_no_room(partition: Watched) -> None:
    recorded, run = Recorded(1_000), new_id(1)
    await partition.write(run, a="done A")
    await recorded.read(partition, run)
    recorded.forget(run)
    recorded.forget(run)
    assert recorded.size == 0
    await recorded.read(partition, run)
    assert partition.taken() == ["a", "a"]
