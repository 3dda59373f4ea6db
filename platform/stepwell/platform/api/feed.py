"""What changes, for those who watch: one subscription per process, there only while somebody does."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from secrets import token_hex
from typing import NamedTuple

from stepwell.platform.store.keys import FEED, SAID
from stepwell.platform.store.store import Store

BACKLOG = 256
"""Messages that a watcher may be behind, before it is dropped."""
REMEMBERED = 1_024
"""Messages that one who comes back may have missed, and is told of."""
LINGER = 10.0
"""Seconds for which the feed is read on when nobody watches any more: whoever was cut off may come back."""

Change = tuple[str, str]
"""Run id and status."""


class News(NamedTuple):
    """Changes, or `None` when some may have been missed, and the position in the feed behind them."""

    changes: list[Change] | None
    position: str = ""


class Watcher:
    """One who watches. `lost` is set when it was too slow, or the feed has failed: what it would get has gaps.

    `position` is that of the last change it was given.

    Args:
        run: of which it is told as well when its code has said something.
    """

    def __init__(self, run: str | None = None) -> None:
        self._run = run
        self._heard = False
        self._waiting: asyncio.Queue[News] = asyncio.Queue(BACKLOG)
        self.lost = asyncio.Event()
        self.position = ""

    def offer(self, changes: list[Change] | None, position: str = "") -> None:
        """Takes changes, or `None`: some may have been missed."""
        try:
            self._waiting.put_nowait(News(changes, position))
        except asyncio.QueueFull:
            self.lost.set()

    def hear(self, runs: Sequence[str]) -> None:
        """The code of these runs has said something."""
        if self._run in runs and not self._heard:
            self._heard = True
            self.offer([])

    def heard(self) -> bool:
        """Whether its run has said something since it was asked last."""
        heard, self._heard = self._heard, False
        return heard

    async def next(self) -> dict[str, str] | None:
        """The latest status of each run that has changed since, or `None` when some changes may have been missed."""
        news = [await self._waiting.get()]
        while not self._waiting.empty():
            news.append(self._waiting.get_nowait())
        self.position = next((one.position for one in reversed(news) if one.position), self.position)
        return None if any(one.changes is None for one in news) else dict(_all(news))


def _all(news: Iterable[News]) -> Iterable[Change]:
    return (change for one in news for change in one.changes or ())


class Feed:
    """The changes of all runs.

    Args:
        store: has them.
        linger: seconds for which it is read on when nobody watches any more.
    """

    def __init__(self, store: Store, linger: float = 0) -> None:
        self._store = store
        self._linger = linger
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._recent = Recent()
        self._subscribed = False
        self._leaving: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    @contextlib.asynccontextmanager
    async def watch(self, run: str | None = None, after: str = "") -> AsyncGenerator[Watcher]:
        """A watcher; its first message is `None`, once it is certain that nothing later is missed.

        Args:
            run: see `Watcher`.
            after: a position that a watcher of before had come to; if all changes since are known, they come first.
        """
        watcher = Watcher(run)
        self._watchers.add(watcher)
        self._stay()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        elif self._subscribed:
            missed = self._recent.since(after)
            watcher.offer(missed, self._recent.position)
            if missed is not None and run is not None:
                watcher.hear([run])  # what was said meanwhile is not remembered
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._linger:
                self._leaving = asyncio.get_running_loop().call_later(self._linger, self._leave)
            elif not self._watchers:
                await self.close()

    def _stay(self) -> None:
        if self._leaving:
            self._leaving.cancel()
            self._leaving = None

    def _leave(self) -> None:
        if self._reading and not self._watchers:
            self._reading.cancel()

    async def close(self) -> None:
        """Stops reading, now."""
        self._stay()
        reading, self._reading = self._reading, None
        if reading:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        self._subscribed = False
        try:
            async with self._store.subscribe(FEED, SAID) as messages:
                async for message in messages:
                    self._subscribed = True
                    if message and message[0] == SAID:
                        self._tell(message[1].decode().split("\n"))
                    else:
                        self._pass_on(message and message[1])
        finally:
            self._subscribed = False
            for watcher in self._watchers:
                watcher.lost.set()

    def _pass_on(self, lines: bytes | None) -> None:
        changes = None if lines is None else [_change(line) for line in lines.decode().splitlines()]
        self._recent.add(changes)
        for watcher in self._watchers:
            watcher.offer(changes, self._recent.position)

    def _tell(self, runs: list[str]) -> None:
        for watcher in self._watchers:
            watcher.hear(runs)


class Recent:
    """The last changes of a feed, and positions in it.

    A position is the name of a time without gaps, and how many messages had come in it.
    """

    def __init__(self) -> None:
        self._messages = deque[list[Change]](maxlen=REMEMBERED)
        self._name = new_name()
        self._count = 0

    @property
    def position(self) -> str:
        """Behind everything so far."""
        return f"{self._name}-{self._count}"

    def add(self, changes: list[Change] | None) -> None:
        """Takes a message; `None` when some may have been missed."""
        if changes is None:
            self._messages.clear()
            self._name, self._count = new_name(), 0
        else:
            self._messages.append(changes)
            self._count += 1

    def since(self, position: str) -> list[Change] | None:
        """All changes behind a position, in their order; `None` when they are not known."""
        name, _, count = position.partition("-")
        missed = self._count - int(count) if count.isascii() and count.isdecimal() and len(count) < 16 else -1
        if name != self._name or not 0 <= missed <= len(self._messages):
            return None
        return [change for changes in list(self._messages)[len(self._messages) - missed :] for change in changes]


def new_name() -> str:
    """A name that no other process, or time, has."""
    return token_hex(8)


def _change(line: str) -> Change:
    run, _, status = line.partition(" ")
    return run, status
