"""A part of `stepwell dev`: a process that is started again whenever it ends before it is told to."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from stepwell.platform.cli.announcing import warn

PAUSES = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before it is started again; the first again after it has lived for long."""
LONG = 30.0


class Part:
    """One process, for as long as the context lasts; then it is told to stop.

    Args:
        name: what people call it.
        words: arguments of `stepwell`.
        environment: its own.
        patience: seconds it has to stop by itself.
        inherited: file descriptors it is given.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        environment: Mapping[str, str],
        patience: float,
        inherited: Sequence[int] = (),
    ) -> None:
        self._name = name
        self._words = words
        self._environment = environment
        self._patience = patience
        self._inherited = inherited
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._keeping is not None
        self._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeping
        if self._process is not None:
            await self._stop(self._process)

    async def _keep(self) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            started = loop.time()
            self._process = await self._start()
            code = await self._process.wait()
            failures = 0 if loop.time() - started > LONG else failures + 1
            pause = PAUSES[min(failures, len(PAUSES) - 1)]
            warn(f"the {self._name} {_ending(code)} and is started again")
            await asyncio.sleep(pause)

    async def _start(self) -> Process:
        # Its standard input is the lifeline: it ends with us. A session of its own: Ctrl-C is for us, who stop the
        # parts in order.
        return await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: no file of the user's, redis.py say, is to be found in the place of a library.
            *("-P", "-m", "stepwell.platform.cli", *self._words),
            env=self._environment,
            stdin=PIPE,
            start_new_session=True,
            pass_fds=self._inherited,
        )

    async def _stop(self, process: Process) -> None:
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self._patience)
        except TimeoutError:
            warn(f"the {self._name} does not stop and is killed")
            process.kill()
            await process.wait()


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
