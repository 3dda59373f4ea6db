"""W8: one run that invokes many others beside each other, and has all their outputs."""

from time import perf_counter

from bench.events import event
from bench.figure import Figure, Target
from bench.rounds import rounds
from bench.scale import Setting
from bench.stack import Stack, running


async def took(stack: Stack, children: int) -> float:
    """Seconds from sending the event to having the result."""
    begun = perf_counter()
    run = await stack.run(event("bench.parent", children=children))
    assert run.output == sum(range(children))
    return perf_counter() - begun


async def measure(setting: Setting) -> list[Figure]:
    """How long it takes."""
    children = setting.scale.children
    async with running(setting, deaf=True) as stack:
        done = await rounds(stack, setting.scale.repeat, lambda: took(stack, children))
    target = Target("≤", 2) if setting.fsync == "everysec" else None
    return [Figure(f"a parent and {children:,} children", "s", done.values, target, done.cpu.per(children), "child")]
