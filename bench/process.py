"""Processes that a stack consists of."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figure import BenchFailed
from stepwell.platform.store import launch

PATIENCE = 30.0
"""Seconds a process has to stop by itself."""


class Process:
    """A `stepwell` command that runs. Start one with `Process.start`.

    Args:
        name: what it is.
        process: the process.
        log: what it writes to.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, name: str, words: Sequence[str], environment: Mapping[str, str], log: Path) -> "Process":
        """Starts `stepwell` with some words; it ends when this process does, however that comes about."""
        with log.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *_bound_to_us(),
                *(sys.executable, "-m", "stepwell.platform.cli", *words),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    def check(self) -> None:
        """Raises `BenchFailed` when it has ended, with its last words."""
        if self._process.returncode is not None:
            last = self._log.read_text(errors="replace").strip().splitlines()[-12:]
            raise BenchFailed(f"the {self._name} has ended with code {self._process.returncode}:\n" + "\n".join(last))

    async def stop(self) -> None:
        """Tells it to stop, and waits until it has."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Ends it at once, as a crash would."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


def _bound_to_us() -> list[str]:
    """Words before a command that make it end with us, where the kernel can do that."""
    if sys.platform != "linux":
        return []
    return [sys.executable, "-I", "-S", launch.__file__, "signal", str(os.getpid()), "0", "0"]
