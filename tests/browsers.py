"""A browser for tests, which is gone when they are done with it, whatever it was doing."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CLOSING = 15.0
"""Seconds in which a browser closes what it is asked to. One that was about to load a page may never do it."""


def matters(said: str) -> bool:
    """Whether what a console says is about the page: not that a test was quicker to a field than the browser itself."""
    return "Autofocus processing was blocked" not in said


@asynccontextmanager
async def browsing(program: str) -> AsyncGenerator[Browser]:
    """The Chromium of a path, without a window of its own."""
    # Its sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    mark = uuid4().hex
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=arguments, env={**os.environ, "MARK": mark}
        )
        try:
            yield browser
        finally:
            if not await closed(browser):
                end(mark)


async def closed(thing: Browser | BrowserContext | Page) -> bool:
    """Closes it; whether that was done in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSING):
            await thing.close()
            return True
    return False


def end(mark: str) -> None:
    """Ends every process that was started with a mark in its environment."""
    for process in Path("/proc").iterdir():
        with suppress(OSError):  # it is somebody else's, or has ended
            if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
