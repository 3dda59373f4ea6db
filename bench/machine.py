"""Facts about the machine, without which no figure means anything."""

import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from bench.figure import load
from bench.scale import Setting
from bench.stack import serving

SYNCS = 100


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured.

    Args:
        cpu: model.
        cores: that may be used.
        python: version.
        pace: CPU ms of a fixed loop in this Python.
        redis: name and version of the embedded server.
        loop: event loop of the client.
        fdatasync: median ms of small writes, each synced, on the disk that the server writes to.
        load: load average at the beginning.
    """

    cpu: str
    cores: int
    python: str
    pace: float
    redis: str
    loop: str
    fdatasync: float
    load: float

    @classmethod
    async def here(cls, setting: Setting, loop: str) -> "Machine":
        """This one."""
        before = load()
        async with serving(setting) as redis:
            info = await redis.info()
            synced = fdatasync(redis.folder)
        name = "valkey" if "valkey_version" in info else "redis"
        version = f"{name} {info[f'{name}_version']}"
        return cls(model(), cores(), platform.python_version(), pace(), version, loop, synced, before)

    def __str__(self) -> str:
        python = f"Python {self.python} (a fixed loop takes {self.pace:.1f} ms)"
        return (
            f"{self.cpu}, {self.cores} cores; {python}, client on {self.loop}; {self.redis}; "
            f"fdatasync {self.fdatasync:.2f} ms; load average {self.load:.2f}"
        )


def fdatasync(folder: Path) -> float:
    """Median ms of 100 small writes to a file in the folder, each synced."""
    sync = getattr(os, "fdatasync", os.fsync)
    times: list[float] = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            begun = perf_counter()
            os.write(file.fileno(), b"x" * 200)
            sync(file.fileno())
            times.append((perf_counter() - begun) * 1e3)
    return median(times)


def pace() -> float:
    """Least CPU ms of a fixed loop: builds of one version of Python differ by half, and so do all figures."""
    times: list[float] = []
    for _ in range(5):
        begun = process_time()
        total = 0
        for index in range(100_000):
            total += len(str(index)) + {"index": index}["index"]
        times.append((process_time() - begun) * 1e3)
    return min(times)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def model() -> str:
    """What the CPU calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
