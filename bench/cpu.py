"""What processes have used, read from /proc (Linux, proc(5)); elsewhere nothing is known and all of it is 0."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Cpu:
    """Time of the parts of a stack on a CPU, in seconds or, by `per`, in µs; 0 for a part that was not there."""

    client: float = 0.0
    server: float = 0.0
    worker: float = 0.0
    redis: float = 0.0

    def __add__(self, other: Cpu) -> Cpu:
        return Cpu(*(mine + its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: Cpu) -> Cpu:
        return Cpu(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))

    def per(self, units: float) -> Cpu:
        """µs for each of so many units, of seconds in all."""
        return Cpu(*(1e6 * seconds / units for seconds in astuple(self)))


def seconds_of(pids: Iterable[int]) -> float:
    """Seconds that all threads of the processes have spent on a CPU. One that has ended counts nothing."""
    return sum(_seconds(pid) for pid in pids)


def _seconds(pid: int) -> float:
    # utime and stime of stat are counted in ticks of 10 ms, coarser than a round of some workloads.
    precise = sum(int(text.split()[0]) for text in _texts((PROC / str(pid)).glob("task/*/schedstat")))
    return precise / 1e9 if precise else _ticks(pid) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def resident(pid: int) -> int:
    """Bytes of memory that are resident."""
    for text in _texts([PROC / str(pid) / "statm"]):
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def children(parent: int) -> list[int]:
    """Processes that `parent` has started and that still run."""
    pids = [int(path.name) for path in PROC.glob("[0-9]*")]
    return [pid for pid in pids if (fields := _fields(pid)) and int(fields[1]) == parent and fields[0] != "Z"]


def alive(pid: int) -> bool:
    """Whether the process runs: not ended, not a zombie."""
    fields = _fields(pid)
    return bool(fields) and fields[0] not in "ZX"


def _fields(pid: int) -> list[str]:
    """What stat says behind the name, which may hold anything: state, parent, …; empty for no process."""
    for text in _texts([PROC / str(pid) / "stat"]):
        return text.rpartition(")")[2].split()
    return []


def _texts(paths: Iterable[Path]) -> Iterable[str]:
    for path in paths:
        try:
            yield path.read_text()
        except OSError:  # it has ended meanwhile
            continue
