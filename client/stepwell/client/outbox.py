"""Events on their way out: concurrent sends of one event loop travel together.

Everything put in during one tick of the loop leaves at its end in as few requests as fit. While `IN_FLIGHT` requests
are on their way, what is put in meanwhile waits and leaves together with the next one; nothing waits for a timer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass

from stepwell.client.errors import Refused

IN_FLIGHT = 2
MOST_EVENTS = 5_000
MOST_BYTES = 4 << 20

# Statuses that may be about one event of an array; any other refusal is about all of them.
ABOUT_ONE = (400, 413, 422)


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """The events of one send, never parted from each other: the server stores all of a request or none of it."""

    events: Sequence[bytes]
    size: int
    ids: asyncio.Future[list[str]]

    def deliver(self, ids: list[str]) -> None:
        if not self.ids.done():
            self.ids.set_result(ids)

    def fail(self, error: Exception) -> None:
        if not self.ids.done():
            self.ids.set_exception(copy(error))


class Outbox:
    """Groups parcels into requests.

    Args:
        post: sends a JSON array of so many events and returns their ids; it does its own retrying.
    """

    def __init__(self, post: Callable[[bytes, int], Awaitable[list[str]]]) -> None:
        self._post = post
        self._waiting: deque[Parcel] = deque()
        self._shipping: dict[asyncio.Task[None], list[Parcel]] = {}
        self._flushing = False

    async def put(self, events: Sequence[bytes]) -> list[str]:
        """Send encoded events as one parcel; returns their ids. A cancelled caller may already have sent them."""
        loop = asyncio.get_running_loop()
        parcel = Parcel(events, sum(map(len, events)) + len(events) + 1, loop.create_future())
        self._waiting.append(parcel)
        if not self._flushing:
            self._flushing = True
            loop.call_soon(self._flush)
        return await parcel.ids

    def _flush(self) -> None:
        self._flushing = False
        while self._waiting and len(self._shipping) < IN_FLIGHT:
            if parcels := self._load():
                task = asyncio.create_task(self._ship(parcels))
                self._shipping[task] = parcels
                task.add_done_callback(self._shipped)

    def _shipped(self, task: asyncio.Task[None]) -> None:
        for parcel in self._shipping.pop(task):
            parcel.ids.cancel()  # answered already, unless the request was cancelled from outside
        self._flush()

    def _load(self) -> list[Parcel]:
        """The parcels of the next request: the oldest that fit, without those whose caller has gone."""
        parcels: list[Parcel] = []
        count = size = 0
        while self._waiting:
            parcel = self._waiting[0]
            count += len(parcel.events)
            size += parcel.size
            if parcels and (count > MOST_EVENTS or size > MOST_BYTES):
                break
            self._waiting.popleft()
            if not parcel.ids.done():
                parcels.append(parcel)
        return parcels

    async def _ship(self, parcels: list[Parcel]) -> None:
        try:
            await self._deliver(parcels)
        except Refused as refusal:
            if len(parcels) > 1 and refusal.status in ABOUT_ONE:
                await self._ship_apart(parcels)
            else:
                _fail(parcels, refusal)
        except Exception as error:
            _fail(parcels, error)

    async def _deliver(self, parcels: list[Parcel]) -> None:
        events = [event for parcel in parcels for event in parcel.events]
        ids = iter(await self._post(b"[" + b",".join(events) + b"]", len(events)))
        for parcel in parcels:
            parcel.deliver([next(ids) for _ in parcel.events])

    async def _ship_apart(self, parcels: list[Parcel]) -> None:
        # By halves: one bad event among 5,000 costs some 25 requests, not 5,000.
        middle = len(parcels) // 2
        await self._ship(parcels[:middle])
        await self._ship(parcels[middle:])

    async def close(self) -> None:
        """Return when everything put in is answered; requests that nobody waits for any more are dropped."""
        while self._waiting or self._shipping:
            self._flush()
            for task, parcels in self._shipping.items():
                if all(parcel.ids.done() for parcel in parcels):
                    task.cancel()
            await asyncio.gather(*self._shipping, return_exceptions=True)
            await asyncio.sleep(0)  # tasks that had already ended are taken off the list in the loop's next turn


def _fail(parcels: list[Parcel], error: Exception) -> None:
    for parcel in parcels:
        parcel.fail(error)


def split(events: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Encoded events in parts that fit one request each; an oversized event stands alone, for the server to refuse."""
    parts: list[Sequence[bytes]] = []
    start = size = 0
    for index, event in enumerate(events):
        size += len(event) + 1
        if index > start and (index - start >= MOST_EVENTS or size > MOST_BYTES):
            parts.append(events[start:index])
            start, size = index, len(event) + 1
    return [*parts, events[start:]]
