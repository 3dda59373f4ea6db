"""A board on which a worker's child writes what it executes, for its parent to read when the child has died."""

import mmap
from pathlib import Path
from typing import Self

WIDTH = 26
"""Characters of a run id."""


class Board:
    """A file shared by parent and child: one slot for each run that may execute at once, empty when none does."""

    __slots__ = ("_free", "_map")

    def __init__(self, memory: mmap.mmap) -> None:
        self._map = memory
        self._free = list(range(len(memory) // WIDTH))

    @classmethod
    def create(cls, path: Path, slots: int) -> Self:
        """Makes an empty board with room for `slots` runs."""
        path.write_bytes(bytes(WIDTH * slots))
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """The board that another process made."""
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), 0))

    def put(self, run: str) -> int:
        """Writes down that a run executes; gives the slot, for `wipe`."""
        slot = self._free.pop()
        self._map[slot * WIDTH : (slot + 1) * WIDTH] = run.encode()
        return slot

    def wipe(self, slot: int) -> None:
        """Removes a run that does not execute any more."""
        self._map[slot * WIDTH : (slot + 1) * WIDTH] = bytes(WIDTH)
        self._free.append(slot)

    def read(self) -> list[str]:
        """The runs that execute, as another process sees them."""
        slots = [self._map[at : at + WIDTH] for at in range(0, len(self._map), WIDTH)]
        return [slot.decode() for slot in slots if slot.strip(b"\0")]
