"""A worker's child as its parent sees it: a process, its session, and what it has last said."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from stepwell.platform.executor.board import Board
from stepwell.platform.executor.errand import Command, Errand, Report, line

LONGEST = 16 << 20
"""Bytes of a report: one names every function."""


@dataclass(slots=True, eq=False)
class Child:
    """One child process; made by `start`.

    Args:
        process: the running process.
        session: the id of its session.
        board: what it executes.
        control: where commands are written.
        functions: what it serves, once it is ready.
        problem: why it could not begin.
        heard: `loop.time()` when it last gave a sign of life.
        gone: set by its parent when it has ended and what it held was taken back.
    """

    process: asyncio.subprocess.Process
    session: str
    board: Board
    control: int
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    functions: list[str] = field(default_factory=list[str])
    problem: str = ""
    heard: float = 0.0
    draining: bool = False
    _listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, target: str, session: str, concurrency: int, environment: Mapping[str, str], *, suspects: bool = False
    ) -> Self:
        """Starts a process that loads `target` and leases in the name of `session`."""
        with tempfile.NamedTemporaryFile(prefix="stepwell-board-", delete=False) as file:
            path = Path(file.name)
        board = Board.create(path, concurrency)
        commands, control = os.pipe()
        reports, report = os.pipe()
        errand = Errand(
            target=target,
            session=session,
            concurrency=concurrency,
            board=str(path),
            control=commands,
            report=report,
            suspects=suspects,
        )
        try:
            process = await _spawn(errand, environment)
        except BaseException:
            os.close(control)
            os.close(reports)
            path.unlink()  # noqa: ASYNC240 (a temporary file)
            raise
        finally:
            os.close(commands)
            os.close(report)
        child = cls(process, session, board, control, heard=asyncio.get_running_loop().time())
        child._listening = asyncio.create_task(child._listen(reports, path.unlink))
        return child

    def tell(self, command: Command) -> None:
        """Writes a command; a child that has ended does not mind."""
        if self.process.returncode is not None:
            return  # the pipe may be closed, and its number somebody else's
        with suppress(BrokenPipeError):
            os.write(self.control, line(command))

    def drain(self) -> None:
        """Asks it to finish the steps it is in, release its runs, and end."""
        self.draining = True
        self.tell(Command(what="drain"))

    def kill(self) -> None:
        """Ends it at once."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)

    async def ended(self) -> int:
        """Waits for its end; gives its exit code. What it executed then is on its board."""
        code = await self.process.wait()
        if self._listening is not None:
            await self._listening
        os.close(self.control)
        return code

    async def _listen(self, reports: int, forget: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(LONGEST)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reports, "rb")
        )
        try:
            async for text in reader:
                self._hear(Report.model_validate_json(text), loop.time())
        finally:
            transport.close()
            forget()
            self.ready.set()

    def _hear(self, report: Report, now: float) -> None:
        self.heard = now
        if report.what == "ready":
            self.functions = report.functions
            self.ready.set()
        elif report.what == "failed":
            self.problem = report.problem
            self.ready.set()


async def _spawn(errand: Errand, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        # -P: the folder of the user's code comes first only once all of ours is loaded.
        *("-P", "-m", "stepwell.platform.executor.child", errand.model_dump_json()),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=(errand.control, errand.report),
    )
