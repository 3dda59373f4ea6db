"""Any two controls on one function: nothing is dropped without a reason, all ends, and nothing is left behind."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import pytest

from stepwell.functions import (
    App,
    Batch,
    Concurrency,
    Context,
    Debounce,
    Fairness,
    Idempotency,
    Priority,
    RateLimit,
    Singleton,
    Throttle,
)
from stepwell.platform.records import RunRecord
from stepwell.platform.store.memory import memory_store
from tests.platform_harness import Harness, harness

KEY = "event.data.key"
CONTROLS: Mapping[str, Mapping[str, Any]] = {
    "concurrency": {"concurrency": [Concurrency(1, key=KEY), Concurrency(2, scope="app", name="all")]},
    "throttle": {"throttle": Throttle(60, "1m", burst=2, key=KEY)},
    "rate limit": {"rate_limit": RateLimit(3, "1m", key=KEY)},
    "debounce": {"debounce": Debounce("2s", timeout="5s", key=KEY)},
    "batch": {"batch": Batch(3, "3s", key=KEY)},
    "priority": {"priority": Priority("event.data.n * 10")},
    "singleton skip": {"singleton": Singleton(key=KEY)},
    "singleton cancel": {"singleton": Singleton(key=KEY, mode="cancel")},
    "idempotency": {"idempotency": Idempotency("event.data.n", period="1h")},
    "fairness": {"fairness": Fairness(KEY)},
}
LEFT = "k_slots", "k_parked", "k_blocked", "k_lanes", "k_queue", "k_timers", "k_single", "k_live", "k_held"
EVENTS, SECOND, MINUTE = 14, 1_000, 60_000


def pairs() -> Iterator[tuple[str, str]]:
    for one, other in combinations(CONTROLS, 2):
        if CONTROLS[one].keys() != CONTROLS[other].keys() and {one, other} != {"debounce", "batch"}:
            yield one, other


@pytest.mark.parametrize(("one", "other"), list(pairs()))
async def test_two_controls_go_together(one: str, other: str) -> None:
    app, seen = App("shop"), list[str]()

    @app.function(on="go", id="work", **CONTROLS[one], **CONTROLS[other])
    async def work(ctx: Context[Any]) -> None:
        seen.extend(event.id for event in ctx.events)
        await ctx.step.sleep("nap", "1500ms")

    async with memory_store() as store, harness(store, app) as platform:
        runs, refused = set[str](), set[str]()
        events = [await one_event(platform, number) for number in range(EVENTS)]
        for event, started, reasons in events:
            runs.update(started)
            assert bool(started) != bool(reasons), "an event starts or joins one run, or it is said why not"
            refused.update([event] if reasons else [])
        ended = [await ends(platform, run) for run in sorted(runs)]
        for _ in range(3):
            await platform.advance(MINUTE)
        assert await left(platform) == {}
        check(ended, set(seen), {event for event, *_ in events} - refused, one, other)


async def one_event(platform: Harness, number: int) -> tuple[str, tuple[str, ...], list[str]]:
    await platform.advance(700)
    event = await platform.accepted("go", {"key": number % 3, "n": number % 6})
    return event.id, event.runs, [refusal.reason for _, refusal in event.refusals]


async def ends(platform: Harness, run: str) -> RunRecord:
    for _ in range(400):
        record = await platform.run(run)
        if record.status.ended:
            return record
        await platform.advance(SECOND // 4)
        await asyncio.sleep(0.005)
    raise AssertionError(f"run {run} does not end: {await platform.run(run)}")


async def left(platform: Harness) -> dict[str, list[bytes]]:
    [partition] = platform.partitions
    found = {name: await partition.read("KEYS", f"{partition.keys.name(name)}*") for name in LEFT}
    return {name: keys for name, keys in found.items() if keys}


def check(ended: list[RunRecord], seen: set[str], accepted: set[str], *controls: str) -> None:
    cancelled = [run for run in ended if run.status == "cancelled"]
    assert all(run.status in ("completed", "cancelled") for run in ended)
    if "singleton cancel" not in controls:
        assert not cancelled
    if "debounce" not in controls and not cancelled:
        assert seen == accepted, "every event that was accepted is seen by a run"
    else:
        assert seen <= accepted
