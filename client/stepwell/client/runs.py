"""Reading and steering runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from stepwell.client.connection import Connection
from stepwell.client.reading import page, read, within
from stepwell.client.records import Page, Run, RunStatus, Step

RUN = TypeAdapter(Run)
RUNS = TypeAdapter(tuple[Run, ...])
STEPS = TypeAdapter(tuple[Step, ...])


class Runs:
    """`client.runs`. Every method may raise the errors of `stepwell.client.errors`, NotFound for an unknown id."""

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection

    async def get(self, id: str) -> Run:
        """The run as it is now."""
        http = self._connection()
        return read(RUN, await http.get(_path(id)), http.url)

    async def steps(self, id: str) -> tuple[Step, ...]:
        """The steps of a run, in the order in which they were first reached."""
        http = self._connection()
        return read(STEPS, await http.get(f"{_path(id)}/steps"), http.url)

    async def list(
        self,
        *,
        status: RunStatus | None = None,
        function: str | None = None,
        app: str | None = None,
        event: str | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Run]:
        """Runs, newest first; every filter that is given has to hold.

        Args:
            status: their status.
            function: "app/function".
            app: id of an app.
            event: name of the event that started them.
            after: created at or after this time, ms UTC.
            before: created before this time, ms UTC.
            limit: most runs in the page.
            cursor: `next` of the page before.
        """
        given: dict[str, str | int | None] = {
            "status": status, "function": function, "app": app, "event": event,
            "after": after, "before": before, "limit": limit, "cursor": cursor,
        }  # fmt: skip
        params = {name: value for name, value in given.items() if value is not None}
        http = self._connection()
        return page(RUNS, await http.get("/api/v1/runs", params), http.url)

    async def cancel(self, id: str) -> Run:
        """Ask for the run to be cancelled and return it; one that is being executed ends at its next step or await."""
        http = self._connection()
        return read(RUN, await http.post(f"{_path(id)}/cancel"), http.url)

    async def wait(self, id: str, *, timeout: float | None = None) -> Run:
        """The run once it has ended, however: look at its `status`.

        The server answers when it happens; a connection that breaks meanwhile is made again.

        Args:
            id: id of the run.
            timeout: seconds, None for as long as it takes.

        Raises:
            TimeoutError: it had not ended by then. The run goes on.
        """
        http = self._connection()

        def ended(answer: Any) -> Run | None:
            run = read(RUN, answer, http.url)
            return run if run.ended else None

        return await within(timeout, http.held(_path(id), ended), f"run {id} has not ended")


def _path(id: str) -> str:
    return f"/api/v1/runs/{quote(id, safe='')}"
