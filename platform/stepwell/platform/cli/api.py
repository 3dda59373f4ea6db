"""Asking the server, as every command does that reads or steers: through the API, with the client's own connection."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import typer

from stepwell.client import Retry
from stepwell.client.address import Address
from stepwell.client.connection import Connection
from stepwell.platform.cli.console import Misuse
from stepwell.platform.codec import encode

T = TypeVar("T")

TIMEOUT = 30.0
ONCE = Retry(tries=1)
"""A person can try again; nobody wants to wait a minute to hear that no server runs."""

Url = Annotated[str | None, typer.Option(help="The server; default: STEPWELL_URL, or http://127.0.0.1:8288.")]


def ask(url: str | None, work: Callable[[Connection], Coroutine[Any, Any, T]]) -> T:
    """What `work` gives, with a connection to the server."""

    async def asked() -> T:
        async with connected(url) as connection:
            return await work(connection)

    return asyncio.run(asked())


@asynccontextmanager
async def connected(url: str | None) -> AsyncGenerator[Connection]:
    """A connection to the server. Raises `Misuse` when the address is none."""
    try:
        connection = Connection(Address.of(url, None, None), ONCE, TIMEOUT)
    except ValueError as error:
        raise Misuse(str(error)) from None
    try:
        yield connection
    finally:
        await connection.close()


def run_path(id: str) -> str:
    """The path of a run."""
    return f"/api/v1/runs/{quote(id, safe='')}"


def get(url: str | None, path: str, params: Mapping[str, str | int | None] | None = None) -> Any:
    """The JSON at a path of the API."""
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return ask(url, lambda connection: connection.get(path, given))


def post(url: str | None, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON that an action answers."""
    given = None if body is None else encode(body)
    return ask(url, lambda connection: connection.post(path, given))
