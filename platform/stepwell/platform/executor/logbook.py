"""What runs say, on its way out of the worker: gathered for a moment, sent beside their work, and never waited for.

A crash of the worker loses what was not sent yet, and a long absence of Redis what does not fit in here.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from functools import partial

from stepwell.functions.lines import line_json, progress_json
from stepwell.functions.logbook import LogLine, Progress
from stepwell.platform.clock import Clock
from stepwell.platform.engine.answers import Refusal
from stepwell.platform.engine.logs import Logs
from stepwell.platform.errors import StepwellError
from stepwell.platform.records import Lease

GATHERING = 0.1
"""Seconds for which lines are gathered."""
PACE = 0.25
"""Seconds between two progresses of a run."""
PAUSE = 2.0
"""Seconds between two tries."""
TRIES = 5
"""Tries for a run that is not here any more."""
AT_ONCE, BYTES_AT_ONCE = 64, 16 << 10
"""Lines of a run that travel together."""


class Desk:
    """Sends what the runs of a partition say; belongs to the running loop.

    Args:
        logs: writes of the partition.
        clock: tells when it was said.
        most_lines: kept of a run.
        most_bytes: of those lines.
    """

    __slots__ = ("_context", "_loop", "_sending", "clock", "lock", "logs", "most_bytes", "most_lines")

    def __init__(self, logs: Logs, clock: Clock, most_lines: int, most_bytes: int) -> None:
        self.logs = logs
        self.clock = clock
        self.most_lines = most_lines
        self.most_bytes = most_bytes
        self.lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._context = Context()  # what is done here is no part of the run that happens to say something
        self._sending: dict[Book, asyncio.Task[None]] = {}

    def time(self) -> float:
        """Seconds, of the loop."""
        return self._loop.time()

    def wake(self, book: "Book") -> None:
        """A run has begun to say something; called in any thread."""
        with suppress(RuntimeError):  # the loop has ended, and a thread of the run goes on
            self._loop.call_soon_threadsafe(self.send_in, GATHERING, book, context=self._context)

    def send_in(self, delay: float, book: "Book") -> None:
        """Sends what a run has said, after `delay` seconds."""
        self._loop.call_later(delay, self.send, book, context=self._context)

    def send(self, book: "Book") -> None:
        """Sends what a run has said, unless that is going on already."""
        before = self._sending.get(book)
        if before is None or before.done():
            task = self._sending[book] = self._loop.create_task(book.send(), context=Context())
            task.add_done_callback(partial(self._sent, book))

    async def settle(self, patience: float) -> None:
        """Waits until what is on its way has arrived, but not for longer than `patience` seconds."""
        if self._sending:
            await asyncio.wait(self._sending.values(), timeout=patience)

    def _sent(self, book: "Book", task: asyncio.Task[None]) -> None:
        if self._sending.get(book) is task:
            del self._sending[book]

    def close(self) -> None:
        """Drops what is on its way."""
        for task in self._sending.values():
            task.cancel()


@dataclass(frozen=True, slots=True)
class Parcel:
    """What travels together; see `Logs.keep`."""

    seq: int
    lines: bytes
    lost: int
    step: str
    progress: bytes


class Book:
    """What one leased run says: the `Logbook` of its execution.

    Args:
        lease: whose token it is kept under.
        desk: of the run's partition.
    """

    __slots__ = (
        *("_awake", "_bytes", "_closed", "_desk", "_ended", "_leaving", "_lines", "_lost", "_parcel", "_progress"),
        *("_run", "_sent", "_seq", "_token", "_tries"),
    )

    def __init__(self, lease: Lease, desk: Desk) -> None:
        self._run, self._token = lease.run, lease.token
        self._desk = desk
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0  # said before those, and dropped
        self._progress: dict[str, bytes] = {}  # the newest of each step, the newest of all last
        self._leaving: dict[str, bytes] = {}
        self._sent = -PACE  # when progress left
        self._parcel: Parcel | None = None
        self._seq = self._tries = 0
        self._awake = self._ended = self._closed = False

    # In any thread.

    def write(self, line: LogLine) -> None:
        """Takes a line; the oldest go when there are more than are kept."""
        if self._desk.most_lines:
            text = line_json(line, self._desk.clock.now())
            with self._desk.lock:
                self._lines.append(text)
                self._bytes += len(text)
                while len(self._lines) > self._desk.most_lines or self._bytes > self._desk.most_bytes:
                    self._bytes -= len(self._lines.popleft())
                    self._lost += 1
            self._wake()

    def advance(self, progress: Progress) -> None:
        """Takes a progress, in the place of the one before it."""
        text, step = progress_json(progress, self._desk.clock.now()), progress.place.step
        with self._desk.lock:
            self._progress.pop(step, None)
            self._progress[step] = text
        self._wake()

    def _wake(self) -> None:
        with self._desk.lock:
            sleeping, self._awake = not self._awake, True
        if sleeping and not self._closed:
            self._desk.wake(self)

    # On the loop.

    def end(self) -> None:
        """The execution has ended: what it has said goes at once."""
        self._ended = True
        if self._awake:
            self._desk.send(self)

    async def send(self) -> None:
        """Sends all there is, one parcel after the other; what does not arrive is tried again."""
        try:
            for parcel in self._parcels():
                await self._desk.logs.keep(
                    self._run,
                    self._token,
                    parcel.seq,
                    parcel.lines,
                    lost=parcel.lost,
                    step=parcel.step,
                    progress=parcel.progress,
                )
                self._parcel = None
        except Refusal:
            self._close()  # somebody else has the run now
        except StepwellError:
            self._try_again()
        else:
            if self._progress:
                self._desk.send_in(PACE, self)

    def _let_progress_go(self) -> None:
        now = self._desk.time()
        if self._progress and not self._leaving and (self._ended or now - self._sent >= PACE):
            self._leaving, self._progress, self._sent = self._progress, {}, now

    def _parcels(self) -> Iterator[Parcel]:
        while not self._closed:
            with self._desk.lock:
                self._let_progress_go()
                parcel = self._parcel = self._parcel or self._pack()
                if parcel is None:
                    self._awake = bool(self._progress)
                    return
            yield parcel

    def _pack(self) -> Parcel | None:
        lines, size = list[bytes](), 0
        while self._lines and len(lines) < AT_ONCE and size < BYTES_AT_ONCE:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        self._bytes -= size
        step = next(iter(self._leaving), "")
        progress = self._leaving.pop(step, b"")
        if not lines and not progress:
            return None
        self._seq += 1
        lost = self._lost if lines else 0
        self._lost -= lost
        return Parcel(self._seq, b"\n".join(lines), lost, step, progress)

    def _try_again(self) -> None:
        self._tries += self._ended
        if self._tries < TRIES:
            self._desk.send_in(PAUSE, self)
        else:
            self._close()

    def _close(self) -> None:
        self._closed = True
        self._lines.clear()
        self._progress.clear()
