"""Functions of which only so many runs may execute per key, and in all: a target for workers that are killed."""

import asyncio
import os
import random
from pathlib import Path

from pydantic import BaseModel

from stepwell.functions import App, Concurrency, Context, Retries
from tests.crash_watch import Watch

LIMITS = range(1, 6)
TOGETHER = 50
OFTEN = Retries(20, delay="20ms", backoff="fixed")

app = App("guarded")
ALL = Concurrency(TOGETHER, scope="app", name="all")


class Visit(BaseModel):
    """What a run is about."""

    key: str


async def guarded(ctx: Context[Visit]) -> str:
    """Two bodies, and a sleep between them in which no slot is held."""
    await ctx.step.run("before", stay, ctx)
    await ctx.step.sleep("rest", "20ms")
    return await ctx.step.run("after", stay, ctx)


async def stay(ctx: Context[Visit]) -> str:
    """Holds its place for some ms, and fails now and then."""
    with Watch(Path(os.environ["CRASH_LEDGER"])).stay(ctx.run_id, ctx.data.key):
        await asyncio.sleep(random.uniform(0.002, 0.010))
    if random.random() < 0.05:
        raise ConnectionError("another time it works")
    return ctx.data.key


for limit in LIMITS:
    controls = [Concurrency(limit, key="event.data.key"), ALL]
    app.function(on=f"guarded.{limit}", id=f"guarded-{limit}", concurrency=controls, retries=OFTEN)(guarded)
