"""Functions whose bodies take long, hold everything up, or only count: a target for workers that are mistreated."""

import asyncio
import ctypes
import os
from typing import Any

from examples.ledger import Ledger
from stepwell.functions import App, Context, SyncContext

app = App("crash")


@app.function(on="hold")
async def hold(ctx: Context[Any]) -> list[int]:
    """Three steps, the second of which takes `seconds`. Gives the processes that recorded them."""
    before = await ctx.step.run("before", noted, ctx, "before")
    return [before, await ctx.step.run("slow", slow, ctx), await ctx.step.run("after", noted, ctx, "after")]


@app.function(on="hold")
def hold_in_thread(ctx: SyncContext[Any]) -> int:
    """One step, which takes `seconds` in a thread."""
    return ctx.step.run("slow", seize, ctx, ctypes.CDLL(None))


@app.function(on="grip")
def grip(ctx: SyncContext[Any]) -> int:
    """One step in C code that keeps the interpreter to itself for `seconds`."""
    return ctx.step.run("grip", seize, ctx, ctypes.PyDLL(None))


@app.function(on="count")
async def count(ctx: Context[Any]) -> int:
    """One step."""
    return await ctx.step.run("count", noted, ctx, "count")


@app.function(on="family")
async def parent(ctx: Context[Any]) -> int:
    """Two children at once, and then a third."""
    await ctx.step.run("ask", brief, ctx, "ask")
    first, second = await asyncio.gather(ctx.step.invoke("a", child, {"n": 1}), ctx.step.invoke("b", child, {"n": 20}))
    return first + second + await ctx.step.invoke("c", child, {"n": 300})


@app.function(on="never")
async def child(ctx: Context[Any]) -> int:
    """Gives its number."""
    await ctx.step.run("child", brief, ctx, "child")
    return int(ctx.data["n"])


@app.function(on="turns")
async def turns(ctx: Context[Any]) -> list[int]:
    """Takes three events, one after the other."""
    taken: list[int] = []
    for number in range(3):
        event = await ctx.step.wait_for_event(f"turn-{number}", "turn", match="data.id")
        taken.append(event.data["n"] if event else -1)
        await ctx.step.run(f"took-{number}", brief, ctx, f"took-{number}")
    return taken


async def brief(ctx: Context[Any], step: str) -> int:
    with _ledger().body(step, ctx.event.id, ctx.run_id):
        await asyncio.sleep(0.05)
    return os.getpid()


async def slow(ctx: Context[Any]) -> int:
    with _ledger().body("slow", ctx.event.id, ctx.run_id):
        await asyncio.sleep(ctx.event.data["seconds"])
    return os.getpid()


def seize(ctx: SyncContext[Any], library: ctypes.CDLL) -> int:
    """Sleeps in C. `PyDLL` keeps the global interpreter lock meanwhile, `CDLL` does not."""
    with _ledger().body(ctx.event.name, ctx.event.id, ctx.run_id):
        library.usleep(int(ctx.event.data["seconds"] * 1_000_000))
    return os.getpid()


def noted(ctx: Context[Any], step: str) -> int:
    with _ledger().body(step, ctx.event.id, ctx.run_id):
        return os.getpid()


def _ledger() -> Ledger:
    return Ledger(os.environ["CRASH_LEDGER"])
