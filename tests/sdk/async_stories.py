"""The functions, as `async def`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from inngest import Context, Event, NonRetriableError, ParallelMode, RetryAfterError, StepError

from tests.sdk.ledger import note, tell, told
from tests.sdk.model import Model

PAUSE = 0.15
MEBIBYTE = 1 << 20


def key_of(ctx: Context) -> Any:
    """What names the run in the ledger."""
    return ctx.event.data["key"]


def app_of(ctx: Context) -> str:
    """Which app it is, as its events tell it."""
    return ctx.event.name.partition("/")[0]


async def three(ctx: Context) -> object:
    key = key_of(ctx)
    return [await ctx.step.run(id, note, key, id) for id in ("a", "b", "c")]


async def again(ctx: Context) -> object:
    key = key_of(ctx)
    return [await ctx.step.run("turn", note, key, f"turn-{number}") for number in range(3)]


async def nap(ctx: Context) -> object:
    before = await ctx.step.run("before", note, key_of(ctx), "before")
    await ctx.step.sleep("nap", 300)
    return [before, await ctx.step.run("after", note, key_of(ctx), "after")]


async def wait(ctx: Context) -> object:
    approved = await ctx.step.wait_for_event(
        "approval",
        event=f"{app_of(ctx)}/approved",
        if_exp="event.data.key == async.data.key",
        timeout=int(str(ctx.event.data["patience"])) * 1000,
    )
    return approved.data["by"] if approved else "nobody"


async def child(ctx: Context) -> object:
    async def double() -> int:
        tell(key_of(ctx), "double")
        return 2 * int(str(ctx.event.data["number"]))

    return {"doubled": await ctx.step.run("double", double), "event": ctx.event.name}


async def calls(ctx: Context) -> object:
    return await ctx.step.invoke_by_id("call", function_id="child", data={"key": key_of(ctx), "number": 21})


async def abroad(ctx: Context) -> object:
    """Calls a function that a worker executes."""
    return await ctx.step.invoke_by_id("call", app_id="books", function_id="total", data={"prices": [1, 2, 3]})


async def rescued(ctx: Context) -> object:
    try:
        await ctx.step.invoke_by_id("call", function_id="doomed", data={"key": f"{key_of(ctx)}-doomed"})
    except StepError as error:
        return error.message
    return "nothing was raised"


async def lost(ctx: Context) -> object:
    try:
        await ctx.step.invoke_by_id("call", function_id="nowhere", data={})
    except StepError as error:
        return error.message
    return "nothing was raised"


async def parallel(ctx: Context) -> object:
    key = key_of(ctx)

    async def slept() -> str:
        await ctx.step.sleep("nap", 200)
        return "slept"

    parts = await ctx.group.parallel(
        (
            lambda: ctx.step.run("left", note, key, "left"),
            lambda: ctx.step.run("right", note, key, "right"),
            slept,
        )
    )
    return [*parts, await ctx.step.run("join", note, key, "join")]


async def shaky(ctx: Context) -> object:
    """A step that fails at first, beside one that does not."""
    key = key_of(ctx)

    async def fails_once() -> str:
        tell(key, "tried")
        if told(key, "tried") < 2:
            raise RuntimeError("not yet")
        return "passed"

    return await ctx.group.parallel(
        (lambda: ctx.step.run("fails once", fails_once), lambda: ctx.step.run("steady", note, key, "steady"))
    )


async def race(ctx: Context) -> object:
    """The hare goes on while the tortoise is on its way."""
    key = key_of(ctx)

    async def hare() -> str:
        await ctx.step.run("first", note, key, "hare-first")
        return await ctx.step.run("second", note, key, "hare-second")

    async def tortoise() -> str:
        await ctx.step.wait_for_event("wait", event=f"{app_of(ctx)}/never", timeout=1000)
        return await ctx.step.run("arrive", note, key, "tortoise")

    return await ctx.group.parallel((hare, tortoise), ParallelMode.RACE)


async def flaky(ctx: Context) -> object:
    async def third_time() -> int:
        tell(key_of(ctx), "tried")
        if ctx.attempt < 2:
            raise RuntimeError(f"attempt {ctx.attempt} fails")
        return ctx.attempt

    before = await ctx.step.run("before", note, key_of(ctx), "before")
    return [before, await ctx.step.run("flaky", third_time)]


async def stumble(ctx: Context) -> object:
    """Its body, outside any step, fails at first."""
    before = await ctx.step.run("before", note, key_of(ctx), "before")
    if not told(key_of(ctx), "stumbled"):
        raise RuntimeError(tell(key_of(ctx), "stumbled"))
    return [before, await ctx.step.run("after", note, key_of(ctx), "after")]


async def caught(ctx: Context) -> object:
    async def never() -> str:
        tell(key_of(ctx), "tried")
        raise ValueError("no such card")

    try:
        await ctx.step.run("charge", never)
    except StepError as error:
        return [error.name, error.message, await ctx.step.run("refund", note, key_of(ctx), "refund")]
    return "nothing was raised"


async def broken(ctx: Context) -> object:
    tell(key_of(ctx), "tried")
    raise NonRetriableError("the card is blocked")


async def broken_step(ctx: Context) -> object:
    async def charge() -> str:
        tell(key_of(ctx), "tried")
        raise NonRetriableError("the card is blocked")

    return await ctx.step.run("charge", charge)


async def later(ctx: Context) -> object:
    tell(key_of(ctx), "tried")
    if told(key_of(ctx), "tried") < 2:
        raise RetryAfterError("busy", 2000)
    return "served"


async def doomed(ctx: Context) -> object:
    raise RuntimeError(tell(key_of(ctx), "doomed"))


async def doomed_failed(ctx: Context) -> object:
    error: Any = ctx.event.data["error"]
    event: Any = ctx.event.data["event"]
    return await ctx.step.run("mourn", note, event["data"]["key"], f"mourned-{error['message']}")


async def tick(ctx: Context) -> object:
    return {"event": ctx.event.name, "cron": ctx.event.data["cron"]}


async def batch(ctx: Context) -> object:
    return [event.data["key"] for event in ctx.events]


async def debounce(ctx: Context) -> object:
    return tell(key_of(ctx), f"number-{ctx.event.data['number']}")


async def narrow(ctx: Context) -> None:
    async def pass_through() -> None:
        tell(key_of(ctx), "in")
        await asyncio.sleep(PAUSE)
        tell(key_of(ctx), "out")

    await ctx.step.run("pass", pass_through)


async def throttle(ctx: Context) -> object:
    async def now() -> float:
        return time.monotonic()

    return await ctx.step.run("now", now)


async def limited(ctx: Context) -> object:
    return await ctx.step.run("a", note, key_of(ctx), "a")


async def urgent(ctx: Context) -> None:
    async def serve() -> None:
        tell(key_of(ctx), str(ctx.event.data["name"]))
        await asyncio.sleep(2 * PAUSE)

    await ctx.step.run("serve", serve)


async def single(ctx: Context) -> object:
    await ctx.step.run("a", note, key_of(ctx), "a")
    await ctx.step.wait_for_event("end", event=f"{app_of(ctx)}/ended", timeout=2000)
    return await ctx.step.run("b", note, key_of(ctx), "b")


async def cancel(ctx: Context) -> object:
    await ctx.step.run("a", note, key_of(ctx), "a")
    await ctx.step.sleep("long", 60_000)
    return await ctx.step.run("b", note, key_of(ctx), "b")


async def once(ctx: Context) -> object:
    return await ctx.step.run("a", note, key_of(ctx), "a")


async def sender(ctx: Context) -> object:
    """Sends one event twice; the id that it gives it makes that one."""
    news = Event(name=f"{app_of(ctx)}/told", id=f"news-{key_of(ctx)}", data={"key": key_of(ctx)})
    first = await ctx.step.send_event("send", news)
    second = await ctx.step.send_event("send again", [news])
    return [len(first), len(second)]


async def told_of(ctx: Context) -> object:
    return await ctx.step.run("a", note, key_of(ctx), "told")


async def bulky(ctx: Context) -> object:
    """Five steps of a mebibyte each."""

    async def load(letter: str) -> str:
        return tell(key_of(ctx), letter) * MEBIBYTE

    parts = [await ctx.step.run(letter, load, letter) for letter in "abcde"]
    return ["".join(part[0] for part in parts), sum(map(len, parts))]


async def inferred(ctx: Context) -> object:
    """Has the server ask a model; in its place there is the server itself, which takes what it is sent for an event."""
    body = {"name": f"{app_of(ctx)}/asked", "data": {"key": key_of(ctx)}}
    return await ctx.step.ai.infer("ask", adapter=Model(), body=body)


HANDLERS: Mapping[str, Callable[[Context], Awaitable[object]]] = {
    "three": three,
    "again": again,
    "nap": nap,
    "wait": wait,
    "child": child,
    "calls": calls,
    "abroad": abroad,
    "rescued": rescued,
    "lost": lost,
    "parallel": parallel,
    "shaky": shaky,
    "race": race,
    "flaky": flaky,
    "stumble": stumble,
    "caught": caught,
    "broken": broken,
    "broken_step": broken_step,
    "later": later,
    "doomed": doomed,
    "tick": tick,
    "batch": batch,
    "debounce": debounce,
    "narrow": narrow,
    "throttle": throttle,
    "burst": throttle,
    "limited": limited,
    "urgent": urgent,
    "single": single,
    "latest": single,
    "hasty": cancel,
    "cancel": cancel,
    "once": once,
    "sender": sender,
    "told": told_of,
    "bulky": bulky,
    "inferred": inferred,
}
"""Of every function, by its id."""

FAILED = {"doomed": doomed_failed}
"""What is called when a function has failed."""
