"""`stepwell dev` with the store of docs/showcase, kept busy, and a browser to walk through its pages."""

import asyncio
import importlib.util
import os
import signal
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request, expect

from stepwell.client import Client, Event
from stepwell.client.records import Run
from tests import browsers
from tests.test_cli_dev import Dev

SHOWCASE = Path(__file__).parents[1] / "docs" / "showcase"
STORE = SHOWCASE / "store.py"
PATIENCE = 60.0


def feed() -> ModuleType:
    """The module that has the events of the store."""
    spec = importlib.util.spec_from_file_location("showcase_feed", SHOWCASE / "feed.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Tour:
    """A store that is open, and a browser. `complaints`: what the browser had to say, or asked of other hosts."""

    dev: Dev
    browser: Browser
    complaints: list[str] = field(default_factory=list[str])

    @property
    def url(self) -> str:
        """Of the server."""
        return self.dev.url

    def client(self) -> Client:
        """Of the server."""
        return Client(self.url)

    @asynccontextmanager
    async def window(
        self,
        path: str,
        scheme: Literal["light", "dark"] = "light",
        width: int = 1280,
        context: BrowserContext | None = None,
    ) -> AsyncGenerator[Page]:
        """A window on a page."""
        made = context or await self.browser.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin"
        )
        page = await made.new_page()
        page.on("console", lambda message: self._hear(path, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"{path}: {error}"))
        page.on("request", lambda request: self._check(path, request))
        await page.goto(self.url + path)
        try:
            yield page
        finally:
            await browsers.closed(page if context else made)

    def _hear(self, path: str, said: str) -> None:
        # A form that comes back with what is wrong is no mistake of the page.
        if "status of 422" not in said and browsers.matters(said):
            self.complaints.append(f"{path}: {said}")

    def _check(self, path: str, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.complaints.append(f"{path} asks another host: {request.url}")

    async def run(self, wanted: Callable[[Run], bool] = lambda _: True, **filters: Any) -> Run:
        """The newest run that is wanted, once there is one."""
        async with self.client() as client, asyncio.timeout(PATIENCE):
            while True:
                for run in await client.runs.list(**filters):
                    whole = await client.runs.get(run.id)
                    if wanted(whole):
                        return whole
                await asyncio.sleep(0.1)

    async def send(self, name: str, **data: Any) -> Run:
        """Sends an event; the run that it starts."""
        async with self.client() as client, asyncio.timeout(PATIENCE):
            [event] = await client.send(Event(name, data))
            while not (runs := await client.events.runs(event)):  # noqa: ASYNC110 - another process does it
                await asyncio.sleep(0.05)
            return runs[0]

    async def until(self, run: str, status: str) -> Run:
        """The run, once it has come to a status."""
        async with self.client() as client, asyncio.timeout(PATIENCE):
            while (found := await client.runs.get(run)).status != status:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)
            return found

    async def order(self, **more: Any) -> Run:
        """The run of an order, which waits for an approval unless it is a small one."""
        data: dict[str, Any] = {
            "id": "o-1",
            "customer": "ana",
            "country": "PT",
            "total": 480,
            "items": [],
            "card": "tok_visa_1",
        }
        return await self.send("order.placed", **data | more)


def opened(folder: Path) -> Dev:
    """The server, with what is in the feed."""
    dev = Dev(folder).start(str(STORE))
    dev.says("functions from")
    events = feed()
    dev.ask(lambda client: client.send([*events.orders(40), *events.others()]))
    return dev


def closed(dev: Dev) -> None:
    """Ends all of its processes."""
    for number in dev.processes():
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if dev.process is not None:
        dev.process.wait()


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""How many px a page is wider than its window."""


async def live(page: Page) -> None:
    """Returns when the page follows what happens; marks it, so that `same` can tell."""
    await expect(page.locator("#live")).to_have_text("Live", timeout=20_000)
    await page.evaluate("window.before = document.getElementById('page')")


async def same(page: Page) -> bool:
    """Whether the page was not loaded again since it is live."""
    kept: bool = await page.evaluate("window.before === document.getElementById('page')")
    return kept


async def paths_of(tour: Tour) -> dict[str, str]:
    """Every view there is: what it is called, and where it is with something on it."""
    failed = await tour.run(status="failed", function="store/fulfil")
    waiting = await tour.run(lambda run: "approval" in str(run.waiting_on), status="waiting", function="store/fulfil")
    catalog = await tour.run(function="store/import_catalog")
    return dict(_views(failed, waiting, catalog))


def _views(failed: Run, waiting: Run, catalog: Run) -> Iterator[tuple[str, str]]:
    yield "home", "/"
    yield "runs", "/runs"
    yield "runs-search", "/runs?q=event.data.total+%3E+250"
    yield "run-failed", f"/runs/{failed.id}"
    yield "run-waiting", f"/runs/{waiting.id}"
    yield "run-logs", f"/runs/{catalog.id}?tab=logs"
    yield "run-history", f"/runs/{waiting.id}?tab=history"
    yield "rerun", f"/runs/{failed.id}/rerun"
    yield "resolve", f"/runs/{waiting.id}/resolve?step=approval"
    yield "bulk", "/bulk/new?action=rerun&status=failed"
    yield "events", "/events"
    yield "event", f"/events/{failed.event_id}"
    yield "send", "/events/send?name=order.placed"
    yield "functions", "/functions"
    yield "function", "/functions/store/fulfil"
    yield "schedules", "/schedules"
    yield "queues", "/queues"
    yield "workers", "/workers"
    yield "system", "/system"
    yield "find", "/find?q=store"
