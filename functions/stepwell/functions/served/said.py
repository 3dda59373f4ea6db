"""What the code of a run says while it is executed for a call: sent beside its work, and never waited for.

What a server does not take at once is lost, as is what was not sent yet when the process dies.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from contextvars import Context
from threading import Lock
from time import monotonic
from typing import Any, Final

from stepwell.client.errors import ClientError
from stepwell.functions.lines import line_json, progress_json
from stepwell.functions.logbook import LogLine, Progress
from stepwell.functions.served.link import Server
from stepwell.functions.served.words import journal_path, text

GATHERING: Final = 0.2
"""Seconds for which lines are gathered."""
MOST: Final = 1_000
"""Lines that wait to be sent."""
AT_ONCE: Final = 64


class Said:
    """The `Logbook` of one execution; belongs to the running loop.

    Args:
        server: keeps it.
        run: id.
        token: the right to record.
        now: ms UTC when the execution begins.
    """

    __slots__ = (
        *("_began", "_lines", "_lock", "_loop", "_lost", "_now", "_path", "_progress", "_sending", "_seq", "_server"),
        "_token",
    )

    def __init__(self, server: Server, run: str, token: str, now: int) -> None:
        self._server = server
        self._path = journal_path(run)
        self._token = token
        self._now = now
        self._began = monotonic()
        self._loop = asyncio.get_running_loop()
        self._lock = Lock()
        self._lines: deque[str] = deque()
        self._lost = 0
        self._progress: dict[str, str] = {}  # the newest of each step
        self._seq = 0
        self._sending: asyncio.Task[None] | None = None

    # In any thread.

    def write(self, line: LogLine) -> None:
        """See `Logbook`; the oldest go when there are too many."""
        said = line_json(line, self._at()).decode()
        with self._lock:
            self._lines.append(said)
            if len(self._lines) > MOST:
                self._lines.popleft()
                self._lost += 1
        self._stir()

    def advance(self, progress: Progress) -> None:
        """See `Logbook`."""
        said, step = progress_json(progress, self._at()).decode(), progress.place.step
        with self._lock:
            self._progress.pop(step, None)
            self._progress[step] = said
        self._stir()

    def _stir(self) -> None:
        with suppress(RuntimeError):  # the loop has ended, and a thread of the run goes on
            self._loop.call_soon_threadsafe(self._wake, context=Context())

    def _at(self) -> int:
        return self._now + int((monotonic() - self._began) * 1000)

    # On the loop.

    def _wake(self) -> None:
        if self._sending is None or self._sending.done():
            # What is done here is no part of the run that happens to say something.
            self._sending = self._loop.create_task(self._send_soon(), context=Context())

    async def _send_soon(self) -> None:
        await asyncio.sleep(GATHERING)
        await self._send()

    async def end(self) -> None:
        """Sends what is left."""
        await asyncio.sleep(0)  # what threads have said is heard
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await self._send()

    async def _send(self) -> None:
        try:
            while parcel := self._parcel():
                await self._server.post(self._path, text({"token": self._token, "turn": 0, "say": parcel}))
        except ClientError:
            with self._lock:
                self._lines.clear()
                self._progress.clear()

    def _parcel(self) -> dict[str, Any] | None:
        with self._lock:
            lines = [self._lines.popleft() for _ in range(min(AT_ONCE, len(self._lines)))]
            step = next(iter(self._progress), "")
            progress = self._progress.pop(step, "")
            if not lines and not progress:
                return None
            lost, self._lost = self._lost, 0
            self._seq += 1
            return {"seq": self._seq, "lines": lines, "lost": lost, "step": step, "progress": progress}
