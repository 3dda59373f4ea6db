"""The functions of which controls are measured."""

import asyncio
import random
from time import time_ns
from typing import Any

from stepwell.functions import App, Batch, Concurrency, Context, Debounce, Fairness, RateLimit, Throttle

app = App("bench")

Data = dict[str, Any]
MANY = 1_000_000
KEY = "event.data.key"


async def body(value: int) -> int:
    """A step that costs nothing."""
    return value


async def three(ctx: Context[Data]) -> int:
    """Three steps, one after the other."""
    return sum([await ctx.step.run(f"step-{index}", body, index) for index in range(3)])


app.function(id="three", on="bench.three")(three)
app.function(id="three-1", on="bench.three-1", concurrency=Concurrency(MANY, key=KEY))(three)
app.function(
    id="three-3",
    on="bench.three-3",
    concurrency=Concurrency(MANY, key=KEY),
    throttle=Throttle(MANY, "1s", burst=MANY, key=KEY),
    rate_limit=RateLimit(10_000, "1s", key=KEY),
)(three)


@app.function(on="bench.limited", rate_limit=RateLimit(10, "1m", key="event.data.customer.id"))
async def limited(ctx: Context[Data]) -> None:
    """Does nothing, and not often."""


@app.function(on="bench.turn", concurrency=Concurrency(1, key=KEY))
async def turn(ctx: Context[Data]) -> list[int]:
    """Gives ns UTC of its beginning and its end, some time apart."""
    begun = time_ns()
    await asyncio.sleep(ctx.data["ms"] / 1e3)
    return [begun, time_ns()]


@app.function(on="bench.paced", throttle=Throttle(100, "1s"))
async def paced(ctx: Context[Data]) -> int:
    """Gives ns UTC of its beginning."""
    return time_ns()


@app.function(on="bench.settled", debounce=Debounce("1s", key=KEY))
async def settled(ctx: Context[Data]) -> int:
    """Gives ns UTC of its beginning."""
    return time_ns()


@app.function(on="bench.batched", batch=Batch(10, "1s", key=KEY))
async def batched(ctx: Context[Data]) -> int:
    """Gives ns UTC of its beginning."""
    return time_ns()


@app.function(on="bench.tenant", fairness=Fairness(key=KEY))
async def tenant(ctx: Context[Data]) -> int:
    """Gives ns UTC of its beginning, and takes up to `ms`."""
    begun = time_ns()
    await asyncio.sleep(random.uniform(0, ctx.data["ms"]) / 1e3)
    return begun
