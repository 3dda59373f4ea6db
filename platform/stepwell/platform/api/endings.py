"""Who waits for runs to end. They are told when it happens; nobody asks again and again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterable, Set
from typing import TypeVar

from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.records import RunRecord

T = TypeVar("T")

NOBODY = frozenset["News"]()
PAUSE = 1.0
"""Seconds until a look that failed is tried again, if nothing is heard before."""


class News:
    """What one who waits hears of a run, or of the runs of an event. `told`: those that have ended, as far as told."""

    def __init__(self) -> None:
        self.told: dict[str, RunRecord] = {}
        self._heard = asyncio.Event()

    def tell(self, run: RunRecord | None) -> None:
        """There is something to look at; and the run that has ended, unless it has to be read."""
        if run is not None:
            self.told[run.id] = run
        self._heard.set()

    async def until(self, look: Callable[[], Awaitable[T | None]]) -> T:
        """What `look` gives once it is not `None`; it is called whenever something was heard, and may fail."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            found = await self._look(look)
            if found is not None:
                return found

    async def _look(self, look: Callable[[], Awaitable[T | None]]) -> T | None:
        try:
            return await look()
        except StoreUnavailable:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), PAUSE)
            self._heard.set()
            return None


class Endings:
    """Those who wait in this process, by the id of a run or of an event."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[News]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def heard(self, lines: bytes) -> None:
        """Runs have ended: lines that begin with `run event`."""
        if not self._waiting:
            return
        for line in lines.split(b"\n"):
            run, event, _ = line.split(b" ", 2)
            waiting = self._of(run.decode()) | self._of(event.decode())
            if waiting:
                told = RunRecord.told(line)
                for news in waiting:
                    news.tell(told)

    def missed(self) -> None:
        """Something may have been missed: everybody looks anew."""
        for id in list(self._waiting):
            for news in self._of(id):
                news.tell(None)

    def _of(self, id: str) -> Set[News]:
        return self._waiting.get(id, NOBODY)

    async def await_end(self, ids: Iterable[str], look: Callable[[], Awaitable[T | None]]) -> T:
        """What `look` gives once it is not `None`.

        It is called at once, and whenever something is heard of the runs or events `ids`. Only its first call may fail.
        """
        with self.listening(*ids) as news:
            found = await look()
            return await news.until(look) if found is None else found

    @contextlib.contextmanager
    def listening(self, *ids: str, news: News | None = None) -> Generator[News]:
        """News of these runs or events, from now on; told to `news` if there is one already."""
        news = news or News()
        for id in ids:
            self._waiting.setdefault(id, set()).add(news)
        try:
            yield news
        finally:
            for id in set(ids):
                self._waiting[id].discard(news)
                if not self._waiting[id]:
                    del self._waiting[id]
