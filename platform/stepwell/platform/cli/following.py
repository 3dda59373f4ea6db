"""Following runs live, by the server's stream of changes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter

from stepwell.client import Run, Step, Unreachable
from stepwell.client.connection import Connection
from stepwell.client.reading import read
from stepwell.platform.cli.api import connected
from stepwell.platform.cli.console import paint, say, say_json
from stepwell.platform.cli.times import took
from stepwell.platform.cli.values import failure, payload, shortened, waiting
from stepwell.platform.codec import decode

PATIENCE = 10
"""Tries, a second apart, to find the server again after a stream broke, as while it restarts."""

RUN = TypeAdapter(Run)
STEPS = TypeAdapter(tuple[Step, ...])

Changes = list[dict[str, str]]


async def follow(url: str | None, run: str | None, *, json: bool) -> int:
    """Prints a run until it ends, or the changes of all until interrupted; answers the exit code.

    Args:
        url: the server; `None` for the default.
        run: id of the run; `None` for all.
        json: print one JSON object a line.
    """
    async with connected(url) as connection:
        shown = Shown(connection, run, json=json) if run else None
        if shown is not None and await shown.look():
            return shown.code
        async with aclosing(stream(connection, run)) as messages:
            async for changes in messages:
                if shown is None:
                    _print(changes, json=json)
                elif changes != [] and await shown.look():
                    return shown.code
    return 0


class Shown:
    """One run, as far as it was printed. `code` is the exit code once it has ended."""

    def __init__(self, connection: Connection, run: str, *, json: bool) -> None:
        self._connection = connection
        self._path = f"/api/v1/runs/{quote(run, safe='')}"
        self._json = json
        self._status = ""
        self._steps: dict[str, str] = {}
        self.code = 0

    async def look(self) -> bool:
        """Prints what is new; answers whether the run has ended."""
        answer = await self._connection.get(self._path)
        steps = await self._connection.get(f"{self._path}/steps")
        run, seen = read(RUN, answer, self._path), read(STEPS, steps, self._path)
        for step, raw in zip(seen, steps["data"], strict=True):
            self._tell_step(step, raw)
        if run.status != self._status:
            self._status = run.status
            self._tell(answer["data"], run.id, run.status, _ending(run))
        self.code = int(run.ended and run.status != "completed")
        return run.ended

    def _tell_step(self, step: Step, raw: Any) -> None:
        if self._steps.get(step.id) == step.status:
            return
        self._steps[step.id] = step.status
        self._tell(raw, f"  {step.id}", step.status, _outcome(step))

    def _tell(self, raw: Any, name: str, status: str, outcome: str) -> None:
        if self._json:
            say_json(raw)
        else:
            say(f"{name.ljust(28)}  {paint(status.ljust(9))}  {outcome}".rstrip())


def _outcome(step: Step) -> str:
    match step.status:
        case "waiting":
            return waiting(step)
        case "running":
            return f"by {step.worker}"
        case _:
            return failure(step.error) if step.error else shortened(payload(step.output, hidden=step.hidden), 60)


def _ending(run: Run) -> str:
    if not run.ended:
        return run.function
    spent = f"after {took(run.started_at, run.ended_at)}" if run.started_at else ""
    result = failure(run.error) if run.error else shortened(payload(run.output, hidden=run.hidden), 60)
    return f"{spent}  {result}" if run.status != "cancelled" else spent


def _print(changes: Changes | None, *, json: bool) -> None:
    for change in changes or ():
        if json:
            say_json(change)
        else:
            say(f"{change['id']}  {paint(change['status'])}")


async def stream(connection: Connection, run: str | None) -> AsyncGenerator[Changes | None]:
    """The changes as they come, none when a run has only said something; `None` when some may have been missed.

    A stream that breaks is begun again.

    Raises `Unreachable` when the server is not there at first, or not back in time.
    """
    failures = PATIENCE
    while True:
        try:
            async with aclosing(_stream(connection, run)) as messages:
                async for message in messages:
                    failures = 0
                    yield message
        except Unreachable:
            failures += 1
            if failures > PATIENCE:
                raise
        await asyncio.sleep(1)


async def _stream(connection: Connection, run: str | None) -> AsyncGenerator[Changes | None]:
    async with aclosing(connection.lines("/api/v1/stream", {"run": run} if run else {})) as lines:
        async for kind, data in _messages(lines):
            yield decode(data) if kind == "runs" else [] if kind == "said" else None


async def _messages(lines: AsyncIterator[str]) -> AsyncGenerator[tuple[str, str]]:
    """Kind and data of Server-Sent Events whose data is one line each, as our server writes them."""
    kind = ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, value
