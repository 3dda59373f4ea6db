"""What changes, for those who watch: one subscription per process, there only while somebody does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Sequence

from stepwell.platform.store.keys import FEED, SAID
from stepwell.platform.store.store import Store

BACKLOG = 256
"""Messages that a watcher may be behind, before it is dropped."""

Change = tuple[str, str]
"""Run id and status."""


class Watcher:
    """One who watches. `lost` is set when it was too slow, or the feed has failed: what it would get has gaps.

    Args:
        run: of which it is told as well when its code has said something.
    """

    def __init__(self, run: str | None = None) -> None:
        self._run = run
        self._heard = False
        self._waiting: asyncio.Queue[list[Change] | None] = asyncio.Queue(BACKLOG)
        self.lost = asyncio.Event()

    def offer(self, changes: list[Change] | None) -> None:
        """Takes changes, or `None`: some may have been missed."""
        try:
            self._waiting.put_nowait(changes)
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
        messages = [await self._waiting.get()]
        while not self._waiting.empty():
            messages.append(self._waiting.get_nowait())
        return None if None in messages else dict(_all(messages))


def _all(messages: Iterable[list[Change] | None]) -> Iterable[Change]:
    return (change for changes in messages for change in changes or ())


class Feed:
    """The changes of all runs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._subscribed = False

    def __len__(self) -> int:
        return len(self._watchers)

    @contextlib.asynccontextmanager
    async def watch(self, run: str | None = None) -> AsyncGenerator[Watcher]:
        """A watcher; its first message is `None`, once it is certain that nothing later is missed.

        Args:
            run: see `Watcher`.
        """
        watcher = Watcher(run)
        self._watchers.add(watcher)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())
        elif self._subscribed:
            watcher.offer(None)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                await self._stop()

    async def _stop(self) -> None:
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
            for watcher in self._watchers:
                watcher.lost.set()

    def _pass_on(self, lines: bytes | None) -> None:
        changes = None if lines is None else [_change(line) for line in lines.decode().splitlines()]
        for watcher in self._watchers:
            watcher.offer(changes)

    def _tell(self, runs: list[str]) -> None:
        for watcher in self._watchers:
            watcher.hear(runs)


def _change(line: str) -> Change:
    run, _, status = line.partition(" ")
    return run, status
