"""Stories of what a run's past tells, on every kind of Redis."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stepwell.functions import App, Context, Retries, RunFailed
from stepwell.platform.codec import decode
from stepwell.platform.engine.leases import Leases
from stepwell.platform.executor import executing, worker
from stepwell.platform.history import History
from stepwell.platform.ids import partition_of
from stepwell.platform.reading.story import Story, story_of
from stepwell.platform.records import Status
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function
from tests.platform_harness import Harness, harness


class Declined(Exception):
    """A card was."""


async def told(platform: Harness, run: str) -> Story:
    story = await story_of(platform.home_of(run), run, platform.clock.now())
    assert story is not None
    return story


def kinds(story: Story) -> list[str]:
    return [f"{entry.kind} {entry.step}" if entry.step else entry.kind for entry in story.entries]


async def test_a_run_tells_how_it_slept_failed_and_went_on(store: Store) -> None:
    app, tried = App("shop"), list[int]()

    async def charge() -> str:
        tried.append(1)
        if len(tried) == 1:
            raise Declined("no money") from OSError("the bank is away")
        return "paid"

    @app.function(on="order.placed", retries=Retries(1, delay="10s", jitter="none"))
    async def fulfil(ctx: Context) -> str:
        await ctx.step.sleep("cool-off", "1h")
        return await ctx.step.run("charge", charge)

    async with harness(store, app) as platform:
        run = await platform.start("order.placed")
        await platform.until(run, Status.WAITING)
        await platform.advance(3_600_000)
        assert platform.worker is not None
        session = platform.worker.session.id

        async def failed() -> bool:
            steps = await platform.steps(run)
            return "charge" in steps and (await platform.run(run)).status is Status.WAITING

        await platform.eventually(failed)
        await platform.advance(10_000)
        assert await platform.output(run) == "paid"
        story = await told(platform, run)
        await platform.forget_everything()
        await platform.stop_worker()
        assert await platform.keys_without_owner() == []
    assert kinds(story) == [
        *("created", "queued", "running", "step cool-off", "waiting"),
        *("queued cool-off", "running", "step charge", "failed_attempt charge", "waiting"),
        *("queued", "running", "completed"),
    ]
    assert (story.split.queued, story.split.running, story.split.waiting) == (0, 0, 3_610_000)
    assert {entry.worker for entry in story.entries if entry.kind == "running"} == {session}
    [attempt] = [entry for entry in story.entries if entry.kind == "failed_attempt"]
    error = decode(attempt.error or b"{}")
    assert (error["type"], attempt.attempt, attempt.worker) == ("Declined", 1, session)
    assert [(cause["relation"], cause["type"]) for cause in error["causes"]] == [("cause", "OSError")]


async def test_a_run_tells_which_workers_have_executed_it(store: Store) -> None:
    app = App("shop")

    @app.function(on="order.placed")
    async def fulfil(ctx: Context) -> None:
        await ctx.step.sleep("nap", "1s")

    async with harness(store, app) as platform:
        run = await platform.start("order.placed")
        await platform.until(run, Status.WAITING)
        await platform.stop_worker()
        await platform.advance(1_000)
        await platform.until(run, Status.QUEUED)
        await platform.advance(5_000)
        await platform.start_worker()
        await platform.output(run)
        story = await told(platform, run)
    ran = [entry for entry in story.entries if entry.kind == "running"]
    assert [entry.outcome for entry in ran] == ["suspended", "completed"]
    assert ran[0].worker != ran[1].worker
    assert (story.split.queued, story.split.waiting) == (5_000, 1_000)


async def test_what_a_failure_handler_is_told_has_no_causes(store: Store) -> None:
    app, heard = App("shop"), list[RunFailed]()

    async def tell(ctx: Context[RunFailed]) -> None:
        heard.append(ctx.data)

    @app.function(on="order.placed", retries=0, on_failure=tell)
    async def fulfil(ctx: Context) -> None:
        try:
            raise OSError("the bank is away")
        except OSError as error:
            raise Declined("no money") from error

    async with harness(store, app) as platform:
        run = await platform.start("order.placed")
        recorded = await platform.error(run)

        async def done() -> bool:
            return bool(heard)

        await platform.waits.errands.empty()
        await platform.eventually(done)
        [event] = [e async for e in _events(platform, "inngest/function.failed")]
    assert [cause["type"] for cause in recorded["causes"]] == ["OSError"]
    assert recorded["traceback"][-1]["source"] == 'raise Declined("no money") from error'
    assert (heard[0].error.type, heard[0].error.message) == ("Declined", "no money")
    frames = heard[0].error.traceback
    assert isinstance(frames, list)
    assert [set(frame) for frame in frames] == [{"file", "line", "function"}] * len(frames)
    assert set(event["error"]) == {"name", "error", "stack", "type", "message", "traceback"}


async def _events(platform: Harness, name: str) -> AsyncIterator[dict[str, Any]]:
    """The data of the events of a name."""
    for partition in platform.partitions:
        log: list[tuple[bytes, list[bytes]]] = await partition.read("XRANGE", partition.keys.name("k_log"), "-", "+")
        for _, fields in log:
            event = await platform.event(fields[1].decode())
            if event.name == name:
                yield event.data


async def test_a_step_that_takes_long_is_seen_while_it_executes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executing, "MOMENT", 0)
    monkeypatch.setattr(worker, "LOOK", 0.01)
    app, begun, go_on = App("shop"), list[int](), asyncio.Event()

    async def ponder() -> str:
        begun.append(1)
        if len(begun) == 1:
            raise Declined("no money")
        await go_on.wait()
        return "done"

    async def read() -> str:
        await go_on.wait()
        return "read"

    @app.function(on="order.placed", retries=Retries(1, delay="10s", jitter="none"))
    async def fulfil(ctx: Context) -> None:
        await asyncio.gather(ctx.step.run("ponder", ponder), ctx.step.run("read", read))

    async with harness(store, app) as platform:
        history = History(platform.partitions, platform.registry)
        run = await platform.start("order.placed")

        async def seen(*wanted: tuple[str, int]) -> None:
            async def there() -> bool:
                found = await history.underway(run)
                return {(step.step, step.attempt) for step in found.values()} == set(wanted)

            await platform.eventually(there)

        await seen(("read", 1))
        await platform.eventually(lambda: _has_row(platform, run, "ponder"))
        at = platform.clock.now()
        await platform.advance(10_000)
        await seen(("read", 1), ("ponder", 2))
        assert platform.worker is not None
        found = await history.underway(run)
        assert (found["ponder"].worker, found["ponder"].started >= at) == (platform.worker.session.id, True)
        story = await told(platform, run)
        assert ("read", "running") in [(entry.step, entry.outcome) for entry in story.entries]
        go_on.set()
        await platform.output(run)
        assert await history.underway(run) == {}
        await platform.eventually(lambda: _tells_nothing(platform))


async def _has_row(platform: Harness, run: str, key: str) -> bool:
    return key in await platform.steps(run)


async def _tells_nothing(platform: Harness) -> bool:
    keys = [partition.read("KEYS", partition.keys.name("k_executing", "*")) for partition in platform.partitions]
    return not any(await asyncio.gather(*keys))


async def test_a_run_that_ends_while_those_of_other_partitions_are_told_of_harms_no_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executing, "MOMENT", 0)
    monkeypatch.setattr(worker, "LOOK", 0.01)
    app, begun, go_on, ended = App("shop"), list[int](), asyncio.Event(), asyncio.Event()

    async def ponder() -> str:
        begun.append(1)
        await go_on.wait()
        return "done"

    @app.function(on="order.placed")
    async def fulfil(ctx: Context) -> str:
        return await ctx.step.run("ponder", ponder)

    async def slowly(leases: Leases, session: str, steps: Any) -> None:
        if len(begun) == 8:
            go_on.set()
            await ended.wait()

    monkeypatch.setattr(Leases, "executing", slowly)
    async with memory_store(partitions=4) as store, harness(store, app) as platform:
        runs = [await platform.start("order.placed") for _ in range(8)]
        assert len({platform.home_of(run).index for run in runs}) > 1
        assert [await platform.output(run) for run in runs] == ["done"] * 8
        ended.set()
        await asyncio.sleep(0.05)
        assert await platform.output(await platform.start("order.placed")) == "done"


async def test_what_a_dead_worker_executed_is_forgotten_with_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executing, "MOMENT", 0)
    monkeypatch.setattr(worker, "LOOK", 0.01)
    app = App("shop")

    async def hang() -> None:
        await asyncio.Event().wait()

    @app.function(on="order.placed")
    async def fulfil(ctx: Context) -> None:
        await ctx.step.run("hang", hang)

    async with harness(store, app) as platform:
        history = History(platform.partitions, platform.registry)
        run = await platform.start("order.placed")

        async def there() -> bool:
            return "hang" in await history.underway(run)

        await platform.eventually(there)
        await platform.crash_worker()
        assert (await history.underway(run), await _tells_nothing(platform)) == ({}, True)
        story = await told(platform, run)
        assert [entry.outcome for entry in story.entries if entry.kind == "running"] == ["crashed"]
        await platform.cancel(run)


async def test_a_body_that_seems_to_have_begun_before_its_turn_is_told_in_it(store: Store) -> None:
    desk = Desk.over(store)
    await desk.register(function("fulfil"))
    run = await desk.start("order.placed")
    desk.clock.advance(10)
    [lease] = await desk.lease("shop/fulfil")
    owner = desk.owner(desk.installation.partitions[partition_of(run)])
    await owner.checkpoint(run, lease.token, 1, "charge", "run", ok=True, attempts=1, took=5, payload=b"1")
    story = await desk.installation.history.story(run, desk.clock.now())
    assert story
    assert kinds(story) == ["created", "queued", "running", "step charge"]
    assert story.entries[3].at == story.entries[2].at
