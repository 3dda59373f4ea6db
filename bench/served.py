"""Apps of the official SDKs, called over HTTP: one run at a time, and very many; one process of each."""

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import aiohttp

from bench.cpu import seconds_of
from bench.endings import Endings
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.process import Process
from bench.scale import Setting
from bench.stack import Stack, free_port, listening, serving, surroundings
from stepwell.client import Client, Event

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "tests" / "sdk" / "express"
WARM = 20
RUNS = 500
EXCHANGES = 4
"""Requests between server and app for a run: four calls, or one during which the app has three steps recorded."""
PATH = "/api/inngest"


@asynccontextmanager
async def platform(setting: Setting) -> AsyncGenerator[tuple[Stack, str]]:
    """A server without a worker, and the signing key that it shares with its apps."""
    key = f"signkey-test-{secrets.token_hex(32)}"
    async with serving(setting) as redis, Endings.of(redis.store) as endings:
        port = free_port()
        environment = surroundings(redis.settings) | {"STEPWELL_SIGNING_KEY": key}
        words = ["server", "--host", "127.0.0.1", "--port", str(port)]
        server = await Process.start("server", words, environment, redis.folder / "server.log")
        try:
            await listening(port, server)
            url = f"http://127.0.0.1:{port}"
            async with Client(url, key="bench") as client:
                yield Stack(redis, url, client, endings, server, environment), key
        finally:
            await server.stop()


@asynccontextmanager
async def app(stack: Stack, key: str, name: str, *command: str, cwd: Path) -> AsyncGenerator[int]:
    """A process of an app that has registered itself; its id."""
    port = free_port()
    own = {"INNGEST_BASE_URL": stack.url, "INNGEST_SIGNING_KEY": key, "INNGEST_EVENT_KEY": "bench", "INNGEST_DEV": "0"}
    with (stack.redis.folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command, str(port), cwd=cwd, env={**surroundings(stack.redis.settings), **own}, stdout=log, stderr=log
        )
    try:
        await registered(f"http://127.0.0.1:{port}{PATH}", name)
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def registered(url: str, name: str) -> None:
    """Has an app register itself, once it is there. Raises `BenchFailed`."""
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.put(url) as answer:
                    said = await answer.text()
                    if answer.status == 200 and "error" not in said:
                        return
                    raise BenchFailed(f"{name} was not registered: {answer.status} {said}")
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)
    raise BenchFailed(f"{name} does not answer")


async def one(stack: Stack, name: str) -> float:
    """ms for one run."""
    begun = perf_counter()
    run = await stack.run(Event(f"{name}/three", {}))
    assert run.output == 3
    return (perf_counter() - begun) * 1e3


async def many(stack: Stack, name: str) -> float:
    """Runs a second."""
    begun = perf_counter()
    await stack.client.send([Event(f"{name}/three", {}) for _ in range(RUNS)])
    await stack.completed(RUNS)
    return RUNS / (perf_counter() - begun)


async def measured(stack: Stack, setting: Setting, name: str, pid: int, most: float, least: float) -> list[Figure]:
    """What one app gives: `most` ms for a run should it take, and `least` runs a second be executed."""
    repeat, singles = setting.scale.repeat, min(setting.scale.singles, 100)
    for _ in range(WARM):
        await one(stack, name)
    rounds = [[await one(stack, name) for _ in range(singles)] for _ in range(repeat)]
    # Those of before have been noticed, too.
    await stack.endings.reach(WARM + repeat * singles)
    before, own = stack.cpu, seconds_of([pid])
    rates = tuple([await many(stack, name) for _ in range(repeat)])
    cpu, own = (stack.cpu - before).per(repeat * RUNS), 1e6 * (seconds_of([pid]) - own) / (repeat * RUNS)
    note = f"the app itself: {own:,.0f} µs of CPU a run, so {1e6 / own:,.0f} runs/s at most" if own else ""
    return [
        Figure(
            f"{name}: one 3-step run at a time, p50",
            "ms",
            tuple(percentile(taken, 0.5) for taken in rounds),
            Target("≤", most) if most else None,
        ),
        Figure(f"{name}: {RUNS} runs x 3 steps", "runs/s", rates, Target("≥", least), cpu, "run", note),
        Figure(f"{name}: server CPU for a call, or a checkpoint", "µs", (cpu.server / EXCHANGES,), Target("≤", 1_000)),
    ]


async def measure(setting: Setting) -> list[Figure]:
    """Both SDKs, one after the other."""
    node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    figures = list[Figure]()
    python = sys.executable, "-m", "bench.sdk_app"
    async with platform(setting) as (stack, key), app(stack, key, "bench-python", *python, cwd=HERE.parent) as pid:
        figures += await measured(stack, setting, "bench-python", pid, 15, 90)
    if node is None:
        return figures
    with tempfile.TemporaryDirectory(prefix="swn", ignore_cleanup_errors=True) as folder:
        await install(Path(folder))
        async with (
            platform(setting) as (stack, key),
            app(stack, key, "bench-node", node, "sdk_app.mjs", cwd=Path(folder)) as pid,
        ):
            figures += await measured(stack, setting, "bench-node", pid, 0, 300)
    return figures


async def install(folder: Path) -> None:
    """Puts the app and the packages of its SDK into a folder. Raises `BenchFailed`."""
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    for file in (PACKAGES / "package.json", PACKAGES / "package-lock.json", HERE / "sdk_app.mjs"):
        shutil.copy(file, folder)
    command = [str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]
    installing = await asyncio.create_subprocess_exec(*command, cwd=folder)
    if await installing.wait():
        raise BenchFailed("npm has not installed the packages of the SDK")
