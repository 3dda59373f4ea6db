"""How many events one API process takes in, while no worker takes CPU time from it."""

import secrets

from bench.cpu import Cpu
from bench.figure import BenchFailed, Figure, Target
from bench.load import Load, offer
from bench.request import Request
from bench.scale import Setting
from bench.stack import Stack, running

BATCH = 100
ROUNDS = 3
"""At most."""
MATCHING = {
    "none": "matching no function",
    "bench.three": "each creates a run",
    "bench.limited": "of which a rate limit drops almost all",
}


async def measure(setting: Setting) -> list[Figure]:
    """Single events and batches, with and without ids of the sender, matching and not."""
    single, batched = (Target("≥", least) if setting.fsync == "everysec" else None for least in (8_000, 50_000))
    async with running(setting, deaf=True) as stack:
        # What is registered stays so, and runs wait in their lane.
        await stack.stop_worker()
        return [
            await figure(setting, stack, 1, "bench.three", own_ids=False, target=single),
            await figure(setting, stack, 1, "bench.three", own_ids=True),
            await figure(setting, stack, BATCH, "none", own_ids=False, target=batched),
            await figure(setting, stack, BATCH, "none", own_ids=True),
            await figure(setting, stack, BATCH, "bench.three", own_ids=False),
            await figure(setting, stack, BATCH, "bench.three", own_ids=True),
        ]


async def figure(
    setting: Setting, stack: Stack, batch: int, name: str, *, own_ids: bool, target: Target | None = None
) -> Figure:
    """One kind of request."""
    rates, cpu, total, tool = list[float](), Cpu(), 0, ""
    for _ in range(min(setting.scale.repeat, ROUNDS)):
        before = stack.cpu
        ids = secrets.token_hex(4) if own_ids else ""
        load = await offer(Request.of(stack.url, batch, name, ids), setting.scale.load)
        used = load.own(stack.cpu - before)
        check(load)
        rates.append(load.requests * batch / load.seconds)
        cpu, total, tool = cpu + used, total + load.requests * batch, load.tool
    what = described(batch, name, own_ids=own_ids)
    return Figure(what, "events/s", tuple(rates), target, cpu.per(total), "event", f"sent by {tool}")


def described(batch: int, name: str, *, own_ids: bool) -> str:
    """The kind of request in words."""
    how = "one event a request" if batch == 1 else f"batches of {batch}"
    return f"{how}, {MATCHING[name]}{', own ids' if own_ids else ''}"


def check(load: Load) -> None:
    """Raises `BenchFailed` when a request was refused or got lost."""
    if load.failed or not load.requests:
        raise BenchFailed(f"{load.failed} requests failed, {load.requests} did not")
