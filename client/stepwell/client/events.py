"""Reading what became of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from stepwell.client.connection import Connection
from stepwell.client.reading import read, within
from stepwell.client.records import Run, StoredEvent
from stepwell.client.runs import RUNS

EVENT = TypeAdapter(StoredEvent)


class Events:
    """`client.events`. The ids are those that `send` returned; NotFound is raised for one that is not kept any more."""

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection

    async def get(self, id: str) -> StoredEvent:
        """The event as the server keeps it."""
        http = self._connection()
        return read(EVENT, await http.get(_path(id)), http.url)

    async def runs(self, id: str) -> tuple[Run, ...]:
        """The runs that the event started, as they are now."""
        http = self._connection()
        return read(RUNS, await http.get(f"{_path(id)}/runs"), http.url)

    async def wait(self, id: str, *, timeout: float | None = None) -> tuple[Run, ...]:
        """The runs of the event once every one of them has ended; at once and empty if it started none.

        Args:
            id: id of the event.
            timeout: seconds, None for as long as it takes.

        Raises:
            TimeoutError: they had not all ended by then. The runs go on.
        """
        http = self._connection()

        held = http.held(f"{_path(id)}/runs", lambda answer: _ended(read(RUNS, answer, http.url)))
        return await within(timeout, held, f"the runs of event {id} have not ended")

    async def send_and_wait(self, event: bytes, *, timeout: float | None = None) -> tuple[Run, ...]:
        """Post one encoded event that has an id, and return its runs as `wait` does."""
        http = self._connection()

        def ended(answer: Any) -> tuple[Run, ...] | None:
            return _ended(read(SENT, answer, http.url).runs)

        held = http.held("/api/v1/events", ended, post=event)
        return await within(timeout, held, "the runs of the event have not ended")


@dataclass(frozen=True, slots=True)
class Sent:
    """What the server answers to an event whose runs are waited for."""

    ids: tuple[str, ...]
    runs: tuple[Run, ...]


SENT = TypeAdapter(Sent)


def _ended(runs: tuple[Run, ...]) -> tuple[Run, ...] | None:
    return runs if all(run.ended for run in runs) else None


def _path(id: str) -> str:
    return f"/api/v1/events/{quote(id, safe='')}"
