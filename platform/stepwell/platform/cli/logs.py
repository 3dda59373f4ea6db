"""`stepwell runs logs`: what the code of a run has said, and says."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter

from stepwell.client import LogLine, Run
from stepwell.client.connection import Connection
from stepwell.client.reading import page, read
from stepwell.platform.cli.api import Url, connected, run_path
from stepwell.platform.cli.console import AsJson, complain, say, say_json
from stepwell.platform.cli.following import stream
from stepwell.platform.codec import encode

RUN = TypeAdapter(Run)
LINES = TypeAdapter(tuple[LogLine, ...])
MOST = 1_000
LAST_WORDS = 0.5
"""Seconds in which lines may still arrive behind the end of their run."""


def logs(
    id: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    url: Url = None,
    json: AsJson = False,
) -> None:
    """Show what a run has logged and printed."""
    asyncio.run(_show(url, id, follow=follow, json=json))


async def _show(url: str | None, run: str, *, follow: bool, json: bool) -> None:
    async with connected(url) as connection:
        shown = Shown(connection, run, json=json)
        await shown.look()
        if not follow or await shown.ended():
            return
        async with aclosing(stream(connection, run)) as messages:
            async for _ in messages:
                await shown.look()
                if await shown.ended():
                    return


class Shown:
    """The lines of one run, as far as they were printed."""

    def __init__(self, connection: Connection, run: str, *, json: bool) -> None:
        self._connection = connection
        self._path = run_path(run)
        self._json = json
        self._last = 0

    async def look(self) -> None:
        """Prints what is new."""
        more = True
        while more:
            answer = await self._connection.get(f"{self._path}/logs", {"after": self._last, "limit": MOST})
            lines = page(LINES, answer, self._path)
            if answer["dropped"] > self._last:
                complain(f"{answer['dropped'] - self._last:,} older lines are not kept any more (STEPWELL_LOG_LINES)")
            for line, raw in zip(lines, answer["data"], strict=True):
                self._print(line, raw)
            more = lines.next is not None

    async def ended(self) -> bool:
        """Whether the run has ended, and all of its lines are printed."""
        if not read(RUN, await self._connection.get(self._path), self._path).ended:
            return False
        await asyncio.sleep(LAST_WORDS)
        await self.look()
        return True

    def _print(self, line: LogLine, raw: Any) -> None:
        self._last = line.number
        if self._json:
            say_json(raw)
        else:
            say(_text(line))


def _text(line: LogLine) -> str:
    at = datetime.fromtimestamp(line.at / 1000, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
    where = f"{line.step or '-'}{f' #{line.attempt}' if line.attempt > 1 else ''}"
    fields = {name: value for name, value in line.fields.items() if name != "exception"}
    shown = f"{line.message}  {encode(fields).decode()}" if fields else line.message
    error = line.fields.get("exception")
    text = f"{at}  {line.level.ljust(8)}  {where.ljust(16)}  {shown}"
    return "\n".join([text, str(error)]) if error else text
