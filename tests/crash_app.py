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
