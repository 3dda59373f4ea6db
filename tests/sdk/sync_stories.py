"""The same functions, as `def`."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from inngest import ContextSync, Event, NonRetriableError, ParallelMode, RetryAfterError, StepError

from tests.sdk.ledger import tell, told
from tests.sdk.model import Model

PAUSE = 0.15
MEBIBYTE = 1 << 20


def key_of(ctx: ContextSync) -> Any:
    """What names the run in the ledger."""
    return ctx.event.data["key"]


def app_of(ctx: ContextSync) -> str:
    """Which app it is, as its events tell it."""
    return ctx.event.name.partition("/")[0]


def three(ctx: ContextSync) -> object:
    key = key_of(ctx)
    return [ctx.step.run(id, tell, key, id) for id in ("a", "b", "c")]


def again(ctx: ContextSync) -> object:
    key = key_of(ctx)
    return [ctx.step.run("turn", tell, key, f"turn-{number}") for number in range(3)]


def nap(ctx: ContextSync) -> object:
    before = ctx.step.run("before", tell, key_of(ctx), "before")
    ctx.step.sleep("nap", 300)
    return [before, ctx.step.run("after", tell, key_of(ctx), "after")]


def wait(ctx: ContextSync) -> object:
    approved = ctx.step.wait_for_event(
        "approval",
        event=f"{app_of(ctx)}/approved",
        if_exp="event.data.key == async.data.key",
        timeout=int(str(ctx.event.data["patience"])) * 1000,
    )
    return approved.data["by"] if approved else "nobody"


def child(ctx: ContextSync) -> object:
    def double() -> int:
        tell(key_of(ctx), "double")
        return 2 * int(str(ctx.event.data["number"]))

    return {"doubled": ctx.step.run("double", double), "event": ctx.event.name}


def calls(ctx: ContextSync) -> object:
    return ctx.step.invoke_by_id("call", function_id="child", data={"key": key_of(ctx), "number": 21})


def abroad(ctx: ContextSync) -> object:
    """Calls a function that a worker executes."""
    return ctx.step.invoke_by_id("call", app_id="books", function_id="total", data={"prices": [1, 2, 3]})


def rescued(ctx: ContextSync) -> object:
    try:
        ctx.step.invoke_by_id("call", function_id="doomed", data={"key": f"{key_of(ctx)}-doomed"})
    except StepError as error:
        return error.message
    return "nothing was raised"


def lost(ctx: ContextSync) -> object:
    try:
        ctx.step.invoke_by_id("call", function_id="nowhere", data={})
    except StepError as error:
        return error.message
    return "nothing was raised"


def parallel(ctx: ContextSync) -> object:
    key = key_of(ctx)

    def slept() -> str:
        ctx.step.sleep("nap", 200)
        return "slept"

    parts = ctx.group.parallel(
        (
            lambda: ctx.step.run("left", tell, key, "left"),
            lambda: ctx.step.run("right", tell, key, "right"),
            slept,
        )
    )
    return [*parts, ctx.step.run("join", tell, key, "join")]


def shaky(ctx: ContextSync) -> object:
    """A step that fails at first, beside one that does not."""
    key = key_of(ctx)

    def fails_once() -> str:
        tell(key, "tried")
        if told(key, "tried") < 2:
            raise RuntimeError("not yet")
        return "passed"

    return ctx.group.parallel(
        (lambda: ctx.step.run("fails once", fails_once), lambda: ctx.step.run("steady", tell, key, "steady"))
    )


def race(ctx: ContextSync) -> object:
    """The hare goes on while the tortoise is on its way."""
    key = key_of(ctx)

    def hare() -> str:
        ctx.step.run("first", tell, key, "hare-first")
        return ctx.step.run("second", tell, key, "hare-second")

    def tortoise() -> str:
        ctx.step.wait_for_event("wait", event=f"{app_of(ctx)}/never", timeout=1000)
        return ctx.step.run("arrive", tell, key, "tortoise")

    return ctx.group.parallel((hare, tortoise), ParallelMode.RACE)


def flaky(ctx: ContextSync) -> object:
    def third_time() -> int:
        tell(key_of(ctx), "tried")
        if ctx.attempt < 2:
            raise RuntimeError(f"attempt {ctx.attempt} fails")
        return ctx.attempt

    before = ctx.step.run("before", tell, key_of(ctx), "before")
    return [before, ctx.step.run("flaky", third_time)]


def stumble(ctx: ContextSync) -> object:
    """Its body, outside any step, fails at first."""
    before = ctx.step.run("before", tell, key_of(ctx), "before")
    if not told(key_of(ctx), "stumbled"):
        raise RuntimeError(tell(key_of(ctx), "stumbled"))
    return [before, ctx.step.run("after", tell, key_of(ctx), "after")]


def caught(ctx: ContextSync) -> object:
    def never() -> str:
        tell(key_of(ctx), "tried")
        raise ValueError("no such card")

    try:
        ctx.step.run("charge", never)
    except StepError as error:
        return [error.name, error.message, ctx.step.run("refund", tell, key_of(ctx), "refund")]
    return "nothing was raised"


def broken(ctx: ContextSync) -> object:
    tell(key_of(ctx), "tried")
    raise NonRetriableError("the card is blocked")


def broken_step(ctx: ContextSync) -> object:
    def charge() -> str:
        tell(key_of(ctx), "tried")
        raise NonRetriableError("the card is blocked")

    return ctx.step.run("charge", charge)


def later(ctx: ContextSync) -> object:
    tell(key_of(ctx), "tried")
    if told(key_of(ctx), "tried") < 2:
        raise RetryAfterError("busy", 2000)
    return "served"


def doomed(ctx: ContextSync) -> object:
    raise RuntimeError(tell(key_of(ctx), "doomed"))


def doomed_failed(ctx: ContextSync) -> object:
    error: Any = ctx.event.data["error"]
    event: Any = ctx.event.data["event"]
    return ctx.step.run("mourn", tell, event["data"]["key"], f"mourned-{error['message']}")


def tick(ctx: ContextSync) -> object:
    return {"event": ctx.event.name, "cron": ctx.event.data["cron"]}


def batch(ctx: ContextSync) -> object:
    return [event.data["key"] for event in ctx.events]


def debounce(ctx: ContextSync) -> object:
    return tell(key_of(ctx), f"number-{ctx.event.data['number']}")


def narrow(ctx: ContextSync) -> None:
    def pass_through() -> None:
        tell(key_of(ctx), "in")
        time.sleep(PAUSE)
        tell(key_of(ctx), "out")

    ctx.step.run("pass", pass_through)


def throttle(ctx: ContextSync) -> object:
    def now() -> float:
        return time.monotonic()

    return ctx.step.run("now", now)


def limited(ctx: ContextSync) -> object:
    return ctx.step.run("a", tell, key_of(ctx), "a")


def urgent(ctx: ContextSync) -> None:
    def serve() -> None:
        tell(key_of(ctx), str(ctx.event.data["name"]))
        time.sleep(2 * PAUSE)

    ctx.step.run("serve", serve)


def single(ctx: ContextSync) -> object:
    ctx.step.run("a", tell, key_of(ctx), "a")
    ctx.step.wait_for_event("end", event=f"{app_of(ctx)}/ended", timeout=2000)
    return ctx.step.run("b", tell, key_of(ctx), "b")


def cancel(ctx: ContextSync) -> object:
    ctx.step.run("a", tell, key_of(ctx), "a")
    ctx.step.sleep("long", 60_000)
    return ctx.step.run("b", tell, key_of(ctx), "b")


def once(ctx: ContextSync) -> object:
    return ctx.step.run("a", tell, key_of(ctx), "a")


def sender(ctx: ContextSync) -> object:
    """Sends one event twice; the id that it gives it makes that one."""
    news = Event(name=f"{app_of(ctx)}/told", id=f"news-{key_of(ctx)}", data={"key": key_of(ctx)})
    first = ctx.step.send_event("send", news)
    second = ctx.step.send_event("send again", [news])
    return [len(first), len(second)]


def told_of(ctx: ContextSync) -> object:
    return ctx.step.run("a", tell, key_of(ctx), "told")


def bulky(ctx: ContextSync) -> object:
    """Five steps of a mebibyte each."""

    def load(letter: str) -> str:
        return tell(key_of(ctx), letter) * MEBIBYTE

    parts = [ctx.step.run(letter, load, letter) for letter in "abcde"]
    return ["".join(part[0] for part in parts), sum(map(len, parts))]


def inferred(ctx: ContextSync) -> object:
    """Has the server ask a model; in its place there is the server itself, which takes what it is sent for an event."""
    body = {"name": f"{app_of(ctx)}/asked", "data": {"key": key_of(ctx)}}
    return ctx.step.ai.infer("ask", adapter=Model(), body=body)


HANDLERS: Mapping[str, Callable[[ContextSync], object]] = {
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
