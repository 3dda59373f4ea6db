"""The dashboard's budgets, in a Chromium, with as many runs stored as a busy month leaves behind."""

import asyncio
import gzip
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter

import aiohttp
from playwright.async_api import Browser, Page, Response, async_playwright, expect

from bench.events import event
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import Stack, running
from stepwell.platform.clock import SystemClock

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
BATCH = 5_000
LOADS = 15
"""Of a page, for one figure."""
UPDATES = 15
STEPS = 1_000
VIEWS = ("/", "/runs", "/runs?status=completed", "/events", "/functions", "/functions/bench/three", "/schedules")
MORE = ("/queues", "/workers", "/system", "/find?q=bench")
PAINT = """() => new Promise((found) => {
  const seen = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
  const look = () => (seen() === undefined ? setTimeout(look, 5) : found(seen()));
  look();
})"""
# How long each frame took while all of the page was scrolled through, in ms.
SCROLL = """() => new Promise((found) => {
  const frames = [], end = document.documentElement.scrollHeight;
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    scrollBy(0, 120);
    if (scrollY + innerHeight >= end - 2 || frames.length >= 400) found(frames.slice(1));
    else requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
# When a row of a run came to be, ms since the epoch.
ROW = """(id) => new Promise((found) => {
  const look = () => (document.getElementById(`run-${id}`) ? found(Date.now()) : requestAnimationFrame(look));
  look();
})"""


async def filled(stack: Stack, count: int) -> None:
    """Has so many runs executed."""
    for first in range(0, count, BATCH):
        some = min(BATCH, count - first)
        await stack.send([event("bench.three") for _ in range(some)])
        await stack.completed(some)


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A browser. Raises `BenchFailed` when there is none."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise BenchFailed("there is no Chromium on this machine")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        await browser.close()


async def measure(setting: Setting) -> list[Figure]:
    """Paint, size, updates and scrolling."""
    async with running(setting) as stack, chromium() as browser:
        run = await stack.run(event("bench.long", steps=STEPS))
        await filled(stack, setting.scale.kept)
        window = await browser.new_page()
        return [
            await painted(window, stack, setting.scale.kept),
            *[await answered(stack, path) for path in (*VIEWS, *MORE, f"/runs/{run.id}")],
            await weighed(browser, stack),
            await updated(window, stack),
            await scrolled(window, f"{stack.url}/runs/{run.id}?steps=all"),
        ]


async def painted(window: Page, stack: Stack, kept: int) -> Figure:
    """How long the list of runs takes until something is seen."""
    values = list[float]()
    for _ in range(LOADS):
        await window.goto(f"{stack.url}/runs")
        values.append(await window.evaluate(PAINT))
    return Figure(f"first paint of Runs, {kept:,} runs stored", "ms", tuple(values), Target("≤", 300))


async def answered(stack: Stack, path: str) -> Figure:
    """How long the server takes for a page."""
    values = list[float]()
    async with aiohttp.ClientSession() as session:
        for _ in range(LOADS):
            begun = perf_counter()
            async with session.get(f"{stack.url}{path}") as response:
                await response.read()
            if response.status != 200:
                raise BenchFailed(f"{path} answers {response.status}")
            values.append((perf_counter() - begun) * 1e3)
    shown = path if len(path) < 24 else f"{path[:12]}…"
    return Figure(f"the server answers {shown}", "ms", tuple(values))


async def weighed(browser: Browser, stack: Stack) -> Figure:
    """What all that is on the first page takes, compressed."""
    page, bodies = await browser.new_page(), list[Response]()
    page.on("response", lambda response: bodies.append(response))  # noqa: PLW0108 - a method takes no attribute
    await page.goto(f"{stack.url}/runs", wait_until="load")
    found = [await body.body() for body in bodies if "/stream" not in body.url]
    await page.close()
    size = sum(len(gzip.compress(body)) for body in found)
    return Figure("all of the first page, compressed", "KB", (size / 1e3,), Target("≤", 100))


async def updated(window: Page, stack: Stack) -> Figure:
    """How long a run takes from being sent to being in the list that somebody looks at."""
    await window.goto(f"{stack.url}/runs")
    await expect(window.locator("#live")).to_have_text("Live")
    values = list[float]()
    for _ in range(UPDATES):
        await asyncio.sleep(0.6)
        begun = SystemClock().now()
        [sent] = await stack.client.send([event("bench.three")])
        [run] = await stack.client.events.runs(sent)
        values.append(await window.evaluate(ROW, run.id) - begun)
    await stack.completed(UPDATES)
    return Figure("from sending an event to its run in the list", "ms", tuple(values), Target("≤", 300))


async def scrolled(window: Page, address: str) -> Figure:
    """The slowest frames while a run of very many steps is scrolled through."""
    await window.goto(address)
    frames: list[float] = await window.evaluate(SCROLL)
    note = f"p99 of {len(frames)} frames; the median took {percentile(frames, 0.5):.1f} ms"
    return Figure(f"scrolling a run of {STEPS:,} steps", "ms", (percentile(frames, 0.99),), Target("≤", 50), note=note)
