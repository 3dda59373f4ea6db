"""The client of an application."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import TracebackType
from typing import Self

from ulid import ULID

from stepwell.client.address import Address
from stepwell.client.background import Background
from stepwell.client.bulk import Bulk
from stepwell.client.event import Event
from stepwell.client.events import Events
from stepwell.client.line import Lines
from stepwell.client.outbox import split
from stepwell.client.records import Run
from stepwell.client.retry import Retry
from stepwell.client.runs import Runs


class Client:
    """Sends events, and reads and steers runs. Make one per process; any event loop and any thread may use it.

        async with Client() as client:
            [id] = await client.send(Event("order.placed", {"id": "A-1"}))
            runs = await client.events.wait(id)

    Args:
        url: the server; default STEPWELL_URL, else http://127.0.0.1:8288.
        key: event key, which allows sending; default STEPWELL_EVENT_KEY. A server in `dev` accepts any.
        api_key: API key, which allows reading and steering; default STEPWELL_API_KEY.
        timeout: seconds to look up the server, to connect, and without a byte taken or given.
        retry: how often and how patiently a request is tried again.

    Raises:
        ValueError: `url` is not an http or https address.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retry: Retry = Retry(),  # noqa: B008 (frozen)
    ) -> None:
        # The HTTP library takes long to load: the first request would make all its event loop wait for that.
        import_module("stepwell.client.pool")
        self._lines = Lines(Address.of(url, key, api_key), retry, timeout)
        self._lock = threading.Lock()
        self._background: Background | None = None
        # None refers to this client: a cycle would leave it to the collector, which closes it wherever that runs.
        self.runs = Runs(self._lines.connection)
        self.bulk = Bulk(self._lines.connection)
        self.events = Events(self._lines.connection)

    async def send(self, events: Event | Sequence[Event]) -> list[str]:
        """Send events; when this returns, the server has them and will start their runs whatever happens.

        Events without an id get one before the first try, and every further try sends the same ids: a try whose
        answer was lost starts nothing twice. Concurrent sends travel in common requests, each with its own outcome.
        A list is stored whole or not at all if it has at most 5,000 events and 4 MiB; a longer one is sent in parts.
        Give the events of such a list ids of your own, so that after an error it may be sent again.

        Args:
            events: one event, or any number of them.

        Returns:
            the server's ids of the events, in their order: an event that was known already has its first one's.

        Raises:
            TypeError: something else than events.
            ValueError: data that JSON cannot carry.
            Refused: the server refuses an event and says which and why; TooLarge, Unauthorized are kinds of it.
            Busy, Faulty, Unreachable: after the last try; the events may have arrived all the same.
        """
        encoded = [event.encode(event.id or str(ULID())) for event in _listed(events)]
        if not encoded:
            return []
        outbox = self._lines.here().outbox
        match split(encoded):
            case [whole]:
                return await outbox.put(whole)
            case parts:
                return _joined(await asyncio.gather(*map(outbox.put, parts), return_exceptions=True))

    async def send_and_wait(self, event: Event, *, timeout: float | None = None) -> tuple[Run, ...]:
        """Send one event, and return the runs it started once every one of them has ended.

        It takes one request, where `send` and `events.wait` take two, and an API key, since it reads what runs gave.

        Args:
            event: what to send; it gets an id before the first try if it has none.
            timeout: seconds, None for as long as it takes.

        Raises:
            TimeoutError: they had not all ended by then. The runs go on.
            What `send` raises.
        """
        [event] = _listed(event)
        return await self.events.send_and_wait(event.encode(event.id or str(ULID())), timeout=timeout)

    def send_sync(self, events: Event | Sequence[Event]) -> list[str]:
        """As `send`, for code that cannot await; blocks the thread, in an async function the whole loop."""
        return self._thread().run(self.send(events))

    def _thread(self) -> Background:
        with self._lock:
            if self._background is None or not self._background.alive:
                self._background = Background()
                # Also when the client is simply dropped, or the interpreter ends.
                weakref.finalize(self, _end, self._background, self._lines)
            return self._background

    async def close(self) -> None:
        """Let the events on their way arrive, then close the connections; a later call would open new ones."""
        await self._lines.hang_up()
        if self._background is not None:
            await asyncio.to_thread(self.close_sync)

    def close_sync(self) -> None:
        """As `close`, for what `send_sync` uses."""
        with self._lock:
            background, self._background = self._background, None
        if background is not None:
            _end(background, self._lines)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close_sync()


def _listed(events: Event | Sequence[Event]) -> Sequence[Event]:
    if isinstance(events, Event):
        return [events]
    for event in [events] if isinstance(events, (str, bytes, Mapping)) else events:
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]
            kind = type(event).__name__
            raise TypeError(
                f'an event is written Event("order.placed", {{"id": "A-1"}}); this is a {kind}: {event!r:.80}'
            )
    return events


def _joined(sent: Sequence[list[str] | BaseException]) -> list[str]:
    ids: list[str] = []
    for part in sent:
        if isinstance(part, BaseException):
            raise part
        ids.extend(part)
    return ids


def _end(background: Background, lines: Lines) -> None:
    if background.alive:
        background.end(lines.hang_up())
