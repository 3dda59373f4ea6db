"""The steps of a run that execute, of those that take longer than a moment."""

from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition
from stepwell.platform.records import RunRecord, Status


@dataclass(frozen=True, slots=True)
class Underway:
    """A step whose body executes: which attempt it is, since when (ms UTC), and in which session."""

    step: str
    attempt: int
    started: int
    worker: str


async def underway_in(partition: Partition, run: RunRecord) -> dict[str, Underway]:
    """Key of a step -> what is known of it; nothing when the run does not execute."""
    if run.status is not Status.RUNNING:
        return {}
    worker = run.token.partition(":")[0]
    flat: list[bytes] = await partition.read("HGETALL", partition.keys.name("k_executing", worker))
    found: dict[str, Underway] = {}
    for name, value in zip(flat[::2], flat[1::2], strict=True):
        of, _, step = name.decode().partition("|")
        attempt, started = value.split(b" ")
        if of == run.id:
            found[step] = Underway(step, int(attempt), int(started), worker)
    return found
