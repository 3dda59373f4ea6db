"""Takes the pictures of the dashboard, light and dark, that README and docs show.

    make images

It starts `stepwell dev` with the store of docs/showcase, lets it work for a while, and looks at every view with the
Chromium of this machine, or that of the environment variable CHROMIUM.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import Literal

from playwright.async_api import Browser, async_playwright

from stepwell.client import Client, Event, Retry
from stepwell.client.records import Run

HERE = Path(__file__).parent
SHOWCASE = HERE.parent / "showcase"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZE = 1280, 800
SETTLED = 25
"""Seconds after which the store has something of everything to show."""


@asynccontextmanager
async def store() -> AsyncGenerator[str]:
    """The address of a store that is busy."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "stepwell.platform.cli", "dev", str(SHOWCASE / "store.py"), "--port", str(port)]
        process = await asyncio.create_subprocess_exec(
            *words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            await busy(url)
            yield url
        finally:
            process.terminate()
            await process.wait()


async def busy(url: str) -> None:
    """Sends what keeps it so."""
    async with Client(url, retry=Retry(tries=60, most=0.5, patience=60)) as client:
        await client.send(Event("store.opened", {"at": "09:00"}))
        await asyncio.sleep(3)
        feed = [sys.executable, str(SHOWCASE / "feed.py"), url]
        await (await asyncio.create_subprocess_exec(*feed)).wait()
        await asyncio.sleep(SETTLED)
        await client.send(Event("catalog.uploaded", {"products": 8_000, "file": "spring.csv"}))
        await (await asyncio.create_subprocess_exec(*feed)).wait()
        await asyncio.sleep(4)


async def views(url: str) -> dict[str, str]:
    """Name of a picture -> path of what it shows."""
    async with Client(url) as client:
        failed = (await client.runs.list(status="failed", function="store/fulfil")).items[0]
        catalog = (await client.runs.list(status="running", function="store/import_catalog")).items[0]
        waiting = await approval(client)
    return {
        "home": "/",
        "runs": "/runs",
        "run": f"/runs/{waiting.id}",
        "run-failed": f"/runs/{failed.id}",
        "run-logs": f"/runs/{catalog.id}?tab=logs",
        "run-history": f"/runs/{waiting.id}?tab=history",
        "bulk": "/bulk/new?action=rerun&status=failed",
        "events": "/events",
        "event": f"/events/{failed.event_id}",
        "send": "/events/send?name=order.placed",
        "functions": "/functions",
        "function": "/functions/store/fulfil",
        "schedules": "/schedules",
        "queues": "/queues",
        "workers": "/workers",
        "system": "/system",
    }


async def approval(client: Client) -> Run:
    """A run that waits for an event."""
    for run in await client.runs.list(status="waiting", function="store/fulfil"):
        whole = await client.runs.get(run.id)
        if any(wait["kind"] == "wait_for_event" for wait in whole.waiting_on or ()):
            return whole
    sys.exit("no run of the store waits for an approval")


async def take(browser: Browser, url: str, name: str, path: str) -> None:
    """The pictures of one view."""
    for scheme in SCHEMES:
        width, height = SIZE
        context = await browser.new_context(
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            locale="en-GB",
            timezone_id="Europe/Lisbon",
        )
        page = await context.new_page()
        await page.goto(url + path)
        await page.wait_for_timeout(600)
        await page.screenshot(path=HERE / f"{name}-{scheme}.png")
        await context.close()


async def main() -> None:
    """Takes all of them."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        sys.exit("There is no Chromium here. Install one, or say where it is with CHROMIUM=/path/to/chromium.")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with store() as url, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        for name, path in (await views(url)).items():
            await take(browser, url, name, path)
            print(f"{name}-light.png {name}-dark.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
