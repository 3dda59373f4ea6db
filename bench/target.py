"""The functions that are measured; their step bodies do next to nothing."""

import asyncio
from typing import Any

from stepwell.functions import App, Context, event
from stepwell.platform.clock import SystemClock

app = App("bench")

Data = dict[str, Any]


async def body(value: int) -> int:
    """A step that costs nothing."""
    return value


async def work(ledger: str, step: int) -> int:
    """A step of 50 ms, which writes down its beginning where a kill of the process cannot take it back."""
    with open(ledger, "ab", buffering=0) as file:  # noqa: ASYNC230  # one short write to a file that is open for appending
        file.write(b"%d\n" % step)
    await asyncio.sleep(0.05)
    return step


@app.function(on="bench.three")
async def three(ctx: Context[Data]) -> int:
    """Three steps, one after the other."""
    total = 0
    for index in range(3):
        total += await ctx.step.run(f"step-{index}", body, index)
    return total


@app.function(on="bench.long")
async def long(ctx: Context[Data]) -> int:
    """`steps` steps, one after the other."""
    for index in range(ctx.data["steps"]):
        await ctx.step.run(f"step-{index}", body, index)
    return int(ctx.data["steps"])


@app.function(on="bench.wide")
async def wide(ctx: Context[Data]) -> int:
    """`branches` steps beside each other, and their sum."""
    return sum(
        await asyncio.gather(*(ctx.step.run(f"step-{index}", body, index) for index in range(ctx.data["branches"])))
    )


@app.function(on="bench.nap")
async def nap(ctx: Context[Data]) -> int:
    """Sleeps `ms`, and answers when its next line was reached, in ms UTC."""
    await ctx.step.sleep("nap", f"{ctx.data['ms']}ms")
    return SystemClock().now()


@app.function(on="bench.slow")
async def slow(ctx: Context[Data]) -> int:
    """Five steps of 50 ms."""
    for index in range(5):
        await ctx.step.run(f"step-{index}", work, ctx.data["ledger"], index)
    return 5


@app.function(on="bench.day")
async def day(ctx: Context[Data]) -> None:
    """Sleeps for a day."""
    await ctx.step.sleep("day", "24h")


@app.function(on="bench.wait")
async def wait(ctx: Context[Data]) -> int:
    """Waits for an event of its own, and answers when its next line was reached, in ms UTC."""
    await ctx.step.wait_for_event("go", "bench.go", match="data.id")
    return SystemClock().now()


@app.function(on="bench.child")
async def child(ctx: Context[Data]) -> int:
    """Gives back what it was given."""
    return await ctx.step.run("step", body, ctx.data["value"])


@app.function(on="bench.parent")
async def parent(ctx: Context[Data]) -> int:
    """`children` children beside each other, and their sum."""
    return sum(
        await asyncio.gather(
            *(ctx.step.invoke(f"child-{index}", child, {"value": index}) for index in range(ctx.data["children"]))
        )
    )


@app.function(on=event("bench.filtered", if_="event.data.total > 10 && event.data.currency == 'EUR'"))
async def filtered(ctx: Context[Data]) -> int:
    """A step, a wait, a step."""
    before = await ctx.step.run("before", body, 1)
    await ctx.step.wait_for_event("proceed", "bench.proceed", match="data.id")
    return before + await ctx.step.run("after", body, 1)
