"""A run that is to be steered, as it is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stepwell.platform.engine.partition import Partition
from stepwell.platform.reading.headers import home_in
from stepwell.platform.records import EventRecord, RunRecord, StepRow
from stepwell.platform.steering.refusals import NoSuchStep, no_such_run

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Subject:
    """A run. `header` is the whole hash, see lua/include/heads.lua."""

    home: Partition
    run: RunRecord
    header: Mapping[bytes, bytes]

    @classmethod
    async def find(cls, partitions: Sequence[Partition], id: str) -> "Subject":
        """The run of an id. Raises `NoSuchRun`."""
        home = home_in(partitions, id)
        flat: list[bytes] = await home.read("HGETALL", home.keys.name("k_run", id)) if home else []
        if home is None or not flat:
            raise no_such_run(id)
        header = dict(zip(flat[::2], flat[1::2], strict=True))
        return cls(home, RunRecord.parse(id, header), header)

    async def step(self, key: str) -> StepRow:
        """A step that is recorded. Raises `NoSuchStep`."""
        row: bytes | None = await self.home.read("HGET", self.home.keys.name("k_steps", self.run.id), key)
        if row is None:
            keys: list[bytes] = await self.home.read("HKEYS", self.home.keys.name("k_steps", self.run.id))
            raise no_such_step(key, sorted(name.decode() for name in keys))
        return StepRow.parse(key.encode(), row)

    async def event(self) -> tuple[EventRecord, bytes] | None:
        """The event that started it, and the record of that; `None` when it is not kept."""
        record: bytes | None = await self.home.read("GET", self.home.keys.name("k_event", self.run.event))
        return None if record is None else (EventRecord.parse(self.run.event, record), record)

    def child(self, key: str) -> str:
        """The run that a step has invoked, or empty."""
        return self.header.get(f"k:{key}".encode(), b"").decode()


def no_such_step(key: str, keys: Sequence[str]) -> NoSuchStep:
    """The refusal of a key, with those there are."""
    shown = key if len(key) <= 80 else f"{key[:80]}…"
    return NoSuchStep(f"the run has no step {shown!r}", f"Its recorded steps: {some_of(keys) or 'none'}")


def some_of(keys: Sequence[str]) -> str:
    """The first of many keys, and how many there are besides."""
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more
