"""How late runs begin that gathered events: after a second of quiet, or a second in which a batch did not get full.

The second begins when the event was received, in whole ms, and ends with the first line of the handler.
"""

from collections.abc import Awaitable, Callable, Sequence

from bench.delay import send_evenly
from bench.events import event
from bench.figure import BenchFailed, Figure, Target, percentile
from bench.scale import Setting
from bench.stack import CONTROLLED, Stack, running
from stepwell.client import Event
from stepwell.platform.ids import time_of

Send = Callable[[Stack, Sequence[Event]], Awaitable[list[str]]]

SECOND = 1_000
RATE = 100
"""Events a second, when they come one by one."""
ROUNDS = 3
"""At most."""


async def at_once(stack: Stack, events: Sequence[Event]) -> list[str]:
    """Sends events together; gives their ids."""
    return await stack.client.send(events)


async def evenly(stack: Stack, events: Sequence[Event]) -> list[str]:
    """Sends events one by one; gives their ids."""
    return [id for _, id in await send_evenly(stack, events, len(events) / RATE)]


async def lateness(stack: Stack, name: str, keys: int, send: Send) -> list[float]:
    """Ms by which the run of each key was late."""
    sent = await send(stack, [event(name, key=key) for key in range(keys)])
    late = [begun / 1e6 - time_of(id) - SECOND for begun, id in zip(await stack.outputs(sent), sent, strict=True)]
    if min(late) < 0:
        raise BenchFailed(f"a run of {name} has begun {-min(late):g} ms early")
    return late


async def measure(setting: Setting) -> list[Figure]:
    """Of both, for events that come one by one, and for those that come all together."""
    target = Target("≤", 50) if setting.fsync == "everysec" else None
    async with running(setting, target=CONTROLLED) as stack:
        return [
            await figure(setting, stack, "bench.settled", "debounced runs", evenly, target),
            await figure(setting, stack, "bench.settled", "  … all due at once", at_once),
            await figure(setting, stack, "bench.batched", "batches that were not full", evenly, target),
            await figure(setting, stack, "bench.batched", "  … all due at once", at_once),
        ]


async def figure(
    setting: Setting, stack: Stack, name: str, what: str, send: Send, target: Target | None = None
) -> Figure:
    """p99 of each round."""
    keys, times = setting.scale.crowds.gathered, min(setting.scale.repeat, ROUNDS)
    await lateness(stack, name, keys, send)
    before = stack.cpu
    rounds = [percentile(await lateness(stack, name, keys, send), 0.99) for _ in range(times)]
    cpu = (stack.cpu - before).per(times * keys)
    counted = f"{keys:,} {what}" if send is evenly else what
    return Figure(f"{counted}, late by p99", "ms", tuple(rounds), target, cpu, "run")
