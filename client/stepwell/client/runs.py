"""Reading and steering runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python
from ulid import ULID

from stepwell.client.connection import Connection
from stepwell.client.reading import page, read, within
from stepwell.client.records import History, LogLine, Page, Run, RunStatus, Step

RUN = TypeAdapter(Run)
RUNS = TypeAdapter(tuple[Run, ...])
STEPS = TypeAdapter(tuple[Step, ...])
LINES = TypeAdapter(tuple[LogLine, ...])
HISTORY = TypeAdapter(History)
UNCHANGED: Any = object()
"""Stands for an output that is not given, since None is one."""


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

    async def logs(self, id: str, *, after: int | str = 0, limit: int = 100) -> Page[LogLine]:
        """Lines that a run has logged and printed, oldest first.

        Args:
            id: id of the run.
            after: number of the last line that is known, such as `next` of the page before.
            limit: most lines in the page, up to 1,000.
        """
        http = self._connection()
        return page(LINES, await http.get(f"{_path(id)}/logs", {"after": after, "limit": limit}), http.url)

    async def history(self, id: str, *, after: int | str = 0, limit: int = 500) -> History:
        """What has happened to a run, oldest first, and how long it was queued, running and waiting.

        Args:
            id: id of the run.
            after: number of the last entry that is known, such as `next` of the part before.
            limit: most entries, up to 1,000.
        """
        http = self._connection()
        answer = await http.get(f"{_path(id)}/history", {"after": after, "limit": limit})
        return read(HISTORY, {"data": answer}, http.url)

    async def list(
        self,
        *,
        status: RunStatus | None = None,
        function: str | None = None,
        app: str | None = None,
        event: str | None = None,
        after: int | None = None,
        before: int | None = None,
        id: str | None = None,
        event_id: str | None = None,
        where: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Run]:
        """Runs, newest first; every filter that is given has to hold.

        A page may be short, or empty, and still have a `next`: see its `searched`.

        Args:
            status: their status.
            function: "app/function".
            app: id of an app.
            event: name of the event that started them.
            after: created at or after this time, ms UTC.
            before: created before this time, ms UTC.
            id: what their ids begin with.
            event_id: id of an event that started them, or has become part of them.
            where: an expression over event, output, error and run, such as 'error.type == "CardDeclined"'.
            limit: most runs in the page.
            cursor: `next` of the page before.

        Raises:
            Refused: the expression has a mistake; it says in which column.
        """
        given: dict[str, str | int | None] = {
            "status": status, "function": function, "app": app, "event": event,
            "after": after, "before": before, "id": id, "event_id": event_id, "q": where,
            "limit": limit, "cursor": cursor,
        }  # fmt: skip
        params = {name: value for name, value in given.items() if value is not None}
        http = self._connection()
        return page(RUNS, await http.get("/api/v1/runs", params), http.url)

    async def cancel(self, id: str) -> Run:
        """Ask for the run to be cancelled and return it; one that is being executed ends at its next step or await."""
        http = self._connection()
        return read(RUN, await http.post(f"{_path(id)}/cancel"), http.url)

    async def invoke(self, function: str, data: Mapping[str, Any] | BaseModel | None = None) -> Run:
        """Start a run of one function, and return it; no other function hears of its event.

        Args:
            function: as "app/function".
            data: of its event.

        Raises:
            ValueError: no function can be called so, or JSON cannot carry the data.
            NotFound: no such function is registered.
            Refused: a control of the function keeps a run from being started now; it says which.
        """
        # With an id of our own, a try whose answer was lost does nothing twice.
        asked: dict[str, Any] = {"request": str(ULID()), "data": {} if data is None else data}
        http = self._connection()
        return read(RUN, await http.post(f"{_path_of(function)}/invoke", _json(asked)), http.url)

    async def rerun(
        self,
        id: str,
        *,
        data: Mapping[str, Any] | BaseModel | None = None,
        from_step: str | None = None,
        output: Any = UNCHANGED,
    ) -> Run:
        """Do the run again, and return the new one, whose `rerun_of` is this one; this one stays as it is.

        Args:
            id: id of the run.
            data: of its event, instead of the run's own.
            from_step: key of a step; the outcomes of those that were done before it are kept.
            output: of that step, which then is kept as well.

        Raises:
            ValueError: data or output that JSON cannot carry.
            Refused: the step or its output cannot be used, or the function is not registered; it says which and why.
        """
        # With an id of our own, a try whose answer was lost does nothing twice.
        asked = {"request": str(ULID()), "input": data, "from_step": from_step}
        return await self._steer(id, "rerun", asked | _given(output=output))

    async def retry(self, id: str, step: str | None = None) -> Run:
        """Try a step that has failed again now; without one, the function itself.

        Args:
            id: id of the run.
            step: key of the step.

        Raises:
            Refused: it is not about to be tried again.
        """
        return await self._steer(id, "retry", {"step": step})

    async def wake(self, id: str, step: str) -> Run:
        """End a sleep, or another wait, as if its time were over; one that has ended so stays as it is.

        Args:
            id: id of the run.
            step: key of the step.

        Raises:
            Refused: it has ended otherwise, waits for nothing, or has no time that could be over.
        """
        return await self._steer(id, "wake", {"step": step})

    async def resolve(
        self, id: str, step: str, output: Any = UNCHANGED, *, error: Mapping[str, str] | None = None
    ) -> Run:
        """Give a step that waits for events, or for an invoked run, its outcome.

        Args:
            id: id of the run.
            step: key of the step.
            output: of an invoke, any value; of `wait_for_event`, an event {"name", "data"} or None; of `wait_for_any`,
                {"name": of the entry, "event": {"data"}}.
            error: instead, {"type", "message"}: the step has failed.

        Raises:
            ValueError: an output that JSON cannot carry.
            Refused: the step does not wait, or for something else; it says for what.
        """
        asked = {"step": step} | _given(output=output) | ({} if error is None else {"error": error})
        return await self._steer(id, "resolve", asked)

    async def _steer(self, id: str, verb: str, asked: Mapping[str, Any]) -> Run:
        http = self._connection()
        return read(RUN, await http.post(f"{_path(id)}/{verb}", _json(asked)), http.url)

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


def _path_of(function: str) -> str:
    app, _, name = function.partition("/")
    if not app or not name:
        raise ValueError(f'a function is called "app/function", not {function!r:.80}')
    return f"/api/v1/functions/{quote(app, safe='')}/{quote(name, safe='')}"


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not UNCHANGED}


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=to_jsonable_python)
    except TypeError as error:
        raise ValueError(f"JSON cannot carry this: {error.__cause__ or error}") from None
