"""Pausing functions, and having them go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from stepwell.platform.engine.partition import Partition
from stepwell.platform.registry import Registry

Mode = Literal["keep", "hold", "drop"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Paused:
    """That a function is paused.

    Args:
        mode: "keep" has all its runs wait, "hold" those that have not begun; with "drop" events start no more of them.
        since: ms UTC.
    """

    mode: Mode
    since: int

    @classmethod
    def parse(cls, text: bytes) -> "Paused":
        """Reads `mode ms`."""
        mode, since = text.decode().split(" ")
        return cls(cast("Mode", mode), int(since))


class Pausing:
    """Pauses and resumes functions, in every partition. May raise `StepwellError`.

    A call that is cut off may be repeated; until then some of the partitions may not know.

    Args:
        partitions: all of them.
        registry: knows the functions.
    """

    __slots__ = ("_partitions", "_registry")

    def __init__(self, partitions: Sequence[Partition], registry: Registry) -> None:
        self._partitions = partitions
        self._registry = registry

    async def pause(self, function: str, mode: Mode) -> bool:
        """Pauses it, or changes how it is paused; False when there is no such function."""
        return await self._mark(function, mode)

    async def resume(self, function: str) -> bool:
        """Has its runs go on in their order; False when there is no such function."""
        return await self._mark(function, "-")

    async def all(self) -> dict[str, Paused]:
        """The functions that are paused."""
        home = self._partitions[0]
        flat: list[bytes] = await home.read("HGETALL", home.keys.name("k_paused"))
        return {name.decode(): Paused.parse(text) for name, text in zip(flat[::2], flat[1::2], strict=True)}

    async def _mark(self, function: str, mode: str) -> bool:
        known = function in (await self._registry.load()).functions or function in await self.all()
        if known:
            for partition in reversed(self._partitions):
                await partition.script("pause", items=[(function, mode)])
        return known
