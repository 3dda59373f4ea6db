"""`stepwell dev` finds apps that are served on this machine, and has them register themselves."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from stepwell.client import ClientError
from stepwell.client.connection import Connection
from stepwell.platform.codec import encode

PORTS = (3000, 3001, 3333, 4000, 4321, 5000, 5173, 8000, 8080, 8787, 8888)
PATHS = (
    "/api/inngest",
    "/x/inngest",
    "/.netlify/functions/inngest",
    "/.redwood/functions/inngest",
    "/api/stepwell",
)
HOSTS = ("127.0.0.1", "[::1]")
EVERY = 5.0
"""Seconds between two looks. An app that is known is asked each time: its functions may be others by now."""
RARELY = 6
"""At something else that listens on a port, only every so many looks."""
KNOCK, PATIENCE = 0.5, 3.0
"""Seconds for a connection, and for an answer."""


@dataclass
class Port:
    """What is known of a port. `url`: of the app there, "" when none is; `looks`: since it was looked at closely."""

    number: int
    url: str = ""
    looks: int = 0
    said: str = ""


@dataclass
class Discovery:
    """Looks for apps.

    Args:
        connection: to the server.
        say: tells of what was found.
        warn: tells of what does not work.
        ports: where to look.
    """

    connection: Connection
    say: Callable[[str], None]
    warn: Callable[[str], None]
    ports: Sequence[int] = PORTS
    known: dict[int, Port] = field(default_factory=dict[int, Port])

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # of whatever else listens there: no reason for `stepwell dev` to end
                self.warn(f"looking for apps failed, and is tried again: {type(error).__name__}: {error}")
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Looks once."""
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=PATIENCE), cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            for number in self.ports:
                await self._look_at(self.known.setdefault(number, Port(number)), session)

    async def _look_at(self, port: Port, session: aiohttp.ClientSession) -> None:
        host = await _listening(port.number)
        if host is None:
            port.url, port.looks = "", 0
            return
        if not port.url and port.looks % RARELY == 0:
            port.url = await _served(session, f"http://{host}:{port.number}")
        port.looks += 1
        if port.url:
            await self._add(port)

    async def _add(self, port: Port) -> None:
        try:
            answer = await self.connection.post("/api/v1/apps", encode({"url": port.url}))
        except ClientError as error:
            self._once(port, f"{port.url} does not register itself: {error}", self.warn)
            port.url, port.looks = "", 1  # it may be another app the next time
            return
        apps: list[dict[str, Any]] = answer["data"]["apps"]
        for app in apps:
            count = len(app["functions"])
            counted = f"{count} function{'' if count == 1 else 's'}"
            self._once(port, f"found {app['id']} at {port.url}: {counted}", self.say)

    def _once(self, port: Port, text: str, tell: Callable[[str], None]) -> None:
        if port.said != text:
            port.said = text
            tell(text)


async def _listening(port: int) -> str | None:
    """Where on this machine somebody takes connections."""
    for host in HOSTS:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(KNOCK):
                _, writer = await asyncio.open_connection(host.strip("[]"), port)
            writer.close()
            return host
    return None


async def _served(session: aiohttp.ClientSession, base: str) -> str:
    """The address at which an app is served, as its SDK says; "" when none is."""
    for path in PATHS:
        with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
            async with session.get(base + path, allow_redirects=False) as answer:
                if "X-Inngest-SDK" in answer.headers:
                    return base + path
    return ""
