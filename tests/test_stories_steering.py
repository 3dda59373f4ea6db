"""Stories of runs that are steered by hand, told on every kind of Redis."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from stepwell.functions import App, CancelOn, Concurrency, Context, Idempotency, Timeouts, on_event
from stepwell.platform.engine.partition import Partition
from stepwell.platform.ids import digest_of, home_of, new_id
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.steering.order import Given, Order
from stepwell.platform.steering.refusals import NoSuchStep, NotNow, NotSteered, Unfit
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.platform_harness import Harness, harness
from tests.redis_servers import Server

DAY = 86_400_000


@pytest.fixture(params=["memory", "redis"])
async def spread(request: pytest.FixtureRequest) -> AsyncGenerator[Store]:
    """An empty store of four partitions, in turn over fakeredis and Redis."""
    if request.param == "memory":
        async with memory_store(partitions=4) as opened:
            yield opened
    else:
        server: Server = request.getfixturevalue("redis_server")
        async with Store.open(Settings(redis_url=server.url, partitions=4)) as opened:
            yield opened


async def waiting(platform: Harness, run: str) -> None:
    """Returns when the run waits, and all that has to be done for that has been done."""
    await platform.until(run, Status.WAITING)
    await platform.waits.errands.empty()


async def step_keys(partition: Partition) -> list[str]:
    """The keys of steps in a partition."""
    return [key.decode() for key in await partition.read("KEYS", partition.keys.name("k_steps", "*"))]


async def again(
    platform: Harness,
    run: str,
    *,
    data: Mapping[str, Any] | None = None,
    from_step: str | None = None,
    output: Given | None = None,
) -> str:
    """Does a run again; gives the id of the new one."""
    return await platform.steering.rerun(run, Order(data, from_step, output))


def shop(calls: list[str]) -> App:
    """An app of one function with three steps."""
    app = App("shop")

    @app.function(on="order.placed", retries=0)
    async def fulfil(ctx: Context[Any]) -> Any:
        async def body(name: str, value: Any) -> Any:
            calls.append(name)
            return value

        one = await ctx.step.run("one", body, "one", ctx.data["id"])
        two = await ctx.step.run("two", body, "two", f"{one} two")
        three = await ctx.step.run("three", body, "three", f"{two} three")
        return [ctx.event.id, three]

    return app


async def test_a_run_is_done_again_with_its_event(store: Store) -> None:
    calls = list[str]()
    async with harness(store, shop(calls)) as platform:
        first = await platform.start("order.placed", {"id": "A"})
        output = await platform.output(first)
        second = await again(platform, first)
        assert second != first
        assert await platform.output(second) == output
        assert calls == ["one", "two", "three"] * 2
        assert (await platform.run(second)).rerun_of == first
        third = await again(platform, second)
        await platform.output(third)
        assert (await platform.run(third)).rerun_of == second


async def test_the_same_request_does_a_run_again_once(store: Store) -> None:
    calls = list[str]()
    async with harness(store, shop(calls)) as platform:
        first = await platform.start("order.placed", {"id": "A"})
        await platform.output(first)
        order = Order(from_step="two", request="mine")
        ids = {*await asyncio.gather(*[platform.steering.rerun(first, order) for _ in range(4)])}
        [second] = ids
        await platform.output(second)
        assert await platform.steering.rerun(first, order) == second
        assert calls == ["one", "two", "three", "two", "three"]
        assert (await platform.run(second)).status is Status.COMPLETED


def crowded(bodies: list[int], *, alone: bool) -> App:
    """An app whose function counts in `bodies` how many of its runs execute, one at a time when `alone`."""
    app, executing = App("shop"), list[str]()

    @app.function(on="go", concurrency=Concurrency(1) if alone else None)
    async def work(ctx: Context[Any]) -> Any:
        async def body() -> int:
            executing.append(ctx.run_id)
            bodies.append(len(executing))
            for _ in range(20):
                await asyncio.sleep(0)
            executing.remove(ctx.run_id)
            return bodies[-1]

        await ctx.step.run("one", lambda: ctx.data["n"])
        await ctx.step.run("two", body)
        return [ctx.event.id, ctx.data["n"]]

    return app


async def deploy(platform: Harness, app: App) -> None:
    """Has the worker replaced by one that serves another version, once none of its runs is held back by a move."""
    await platform.stop_worker()
    platform.apps = [app]
    await platform.registry.register(app.manifest)
    for _ in range(4):
        await platform.scheduler.tick()
    await platform.start_worker()


async def test_reruns_keep_to_a_limit_that_has_come_since(spread: Store) -> None:
    bodies = list[int]()
    async with harness(spread, crowded([], alone=False)) as platform:
        # With ids of their own, events are spread over the partitions.
        old = [await platform.start("go", {"n": n}, id=f"e{n}") for n in range(8)]
        outputs = [await platform.output(run) for run in old]
        mine = Order(request="mine")
        before = [await platform.steering.rerun(run, mine) for run in old]
        for run in before:
            await platform.output(run)
        await deploy(platform, crowded(bodies, alone=True))
        new = [await again(platform, run, from_step="two") for run in old]
        new += [await again(platform, run) for run in old]
        assert [await platform.output(run) for run in new] == outputs * 2
        assert bodies == [1] * 16
        assert len({platform.home_of(run).index for run in new}) == 1
        assert [await platform.steering.rerun(run, mine) for run in old] == before, "what there is stays the answer"
        edited = await again(platform, old[0], data={"n": "other"})
        event, number = await platform.output(edited)
        assert (event, number) == ((await platform.event_of(edited)).id, "other")
        # Of a run that lives with those that are counted, another one can be made, wherever its event came in.
        twice = await again(platform, new[0])
        assert await platform.output(twice) == outputs[0]
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []


async def test_a_request_that_did_nothing_before_the_function_moved_is_made_anew(spread: Store) -> None:
    async with harness(spread, crowded([], alone=False)) as platform:
        old = [await platform.start("go", {"n": n}, id=f"e{n}") for n in range(8)]
        for run in old:
            await platform.output(run)
            # As a caller that died right after.
            left = new_id(platform.clock.now(), platform.home_of(run).index)
            await platform.runs_at(run).ask_again(run, digest_of("mine"), left)
        await deploy(platform, crowded([], alone=True))
        home = home_of("shop/work", len(platform.partitions))
        for run in old:
            if platform.home_of(run).index != home:
                with pytest.raises(NotNow, match=r"changed since this was requested first\. Request it anew"):
                    await platform.steering.rerun(run, Order(request="mine"))
            anew = await platform.steering.rerun(run, Order(request="anew"))
            await platform.output(anew)


async def test_a_run_is_done_again_with_other_data(store: Store) -> None:
    async with harness(store, shop([])) as platform:
        first = await platform.start("order.placed", {"id": "A"})
        await platform.output(first)
        second = await again(platform, first, data={"id": "B"})
        event, output = await platform.output(second)
        assert output == "B two three"
        header = await platform.run(second)
        assert header.event == event != (await platform.run(first)).event
        kept = await platform.event_of(second)
        assert (kept.name, kept.data, kept.runs) == ("order.placed", {"id": "B"}, (second,))


async def test_from_a_step_on_what_was_done_before_it_is_kept(store: Store) -> None:
    calls = list[str]()
    async with harness(store, shop(calls)) as platform:
        first = await platform.start("order.placed", {"id": "A"})
        await platform.output(first)
        calls.clear()
        second = await again(platform, first, from_step="two")
        assert (await platform.output(second))[1] == "A two three"
        assert calls == ["two", "three"]
        third = await again(platform, first, from_step="two", output=Given("other"))
        assert (await platform.output(third))[1] == "other three"
        assert calls == ["two", "three", "three"]
        fourth = await again(platform, first, data={"id": "B"}, from_step="two")
        assert (await platform.output(fourth))[1] == "A two three", "what is kept was made of the old data"


async def test_a_failed_run_goes_on_from_the_step_that_failed(store: Store) -> None:
    app, broken, calls = App("shop"), [True], list[str]()

    @app.function(on="go", retries=0)
    async def work(ctx: Context[Any]) -> str:
        async def body(name: str) -> str:
            calls.append(name)
            if name == "two" and broken[0]:
                raise ValueError("broken")
            return name

        return await ctx.step.run("one", body, "one") + await ctx.step.run("two", body, "two")

    async with harness(store, app) as platform:
        first = await platform.start("go")
        await platform.error(first)
        broken[0] = False
        second = await again(platform, first, from_step="two")
        assert await platform.output(second) == "onetwo"
        assert calls == ["one", "two", "two"]
        third = await again(platform, first, from_step="two", output=Given(" by hand"))
        assert await platform.output(third) == "one by hand"
        assert calls == ["one", "two", "two"]


async def test_a_run_that_has_not_ended_is_done_again(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> str:
        await ctx.step.run("one", lambda: 1)
        await ctx.step.sleep("nap", "1h")
        return "rested"

    async with harness(store, app) as platform:
        first = await platform.start("go")
        await waiting(platform, first)
        second = await again(platform, first, from_step="nap", output=None)
        await platform.until(second, Status.WAITING)
        assert list(await platform.steps(second)) == ["nap", "one"]
        await platform.steering.wake(second, "nap")
        assert await platform.output(second) == "rested"
        third = await again(platform, first, from_step="nap", output=Given(None))
        assert await platform.output(third) == "rested"
        assert (await platform.run(first)).status is Status.WAITING


async def test_steps_beside_each_other_are_kept_as_they_were_done(store: Store) -> None:
    app, calls = App("shop"), list[str]()

    @app.function(on="go", concurrency=Concurrency(5))
    async def work(ctx: Context[Any]) -> list[str]:
        gate = asyncio.Event()

        async def body(name: str) -> str:
            calls.append(name)
            if name == "fast":
                gate.set()
            return name

        async def slow() -> str:
            await gate.wait()
            return await body("slow")

        async def branch() -> str:
            fast = await ctx.step.run("fast", body, "fast")
            return fast + await ctx.step.run("after", body, "after")

        found = await asyncio.gather(ctx.step.run("slow", slow), branch())
        return [*found, await ctx.step.run("end", body, "end")]

    async with harness(store, app) as platform:
        first = await platform.start("go")
        output = await platform.output(first)
        calls.clear()
        second = await again(platform, first, from_step="end")
        assert await platform.output(second) == output
        assert calls == ["end"]


async def test_a_run_with_much_state_is_done_again(store: Store) -> None:
    app, calls = App("shop"), list[int]()

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> int:
        async def body(number: int) -> str:
            calls.append(number)
            return "x" * 30_000

        return sum([len(await ctx.step.run(f"step {number}", body, number)) for number in range(150)])

    async with harness(store, app) as platform:
        first = await platform.start("go")
        await platform.output(first)
        calls.clear()
        second = await again(platform, first, from_step="step 140")
        assert await platform.output(second) == 150 * 30_000
        assert calls == list(range(140, 150))
        one, two = await platform.run(first), await platform.run(second)
        assert (one.steps, one.bytes) == (two.steps, two.bytes)


async def test_a_caller_that_dies_between_pieces_leaves_nothing_that_runs(store: Store) -> None:
    calls = list[str]()
    async with harness(store, shop(calls)) as platform:
        first = await platform.start("order.placed", {"id": "A"})
        await platform.output(first)
        calls.clear()
        order = Order(from_step="three", request="mine")
        home = platform.home_of(first)
        plain = home.script

        async def dying(_: Partition, verb: str, *fixed: Any, items: Any = ()) -> Any:
            if verb == "rerun":
                raise ConnectionError("the caller has died")
            return await plain(verb, *fixed, items=items)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Partition, "script", dying)
            with pytest.raises(ConnectionError):
                await platform.steering.rerun(first, order)
        left = [key for key in await step_keys(home) if first not in key]
        assert len(left) == 1
        assert 0 < await home.read("PTTL", left[0]) <= 600_000, "it removes itself"
        assert calls == []
        second = await platform.steering.rerun(first, order)
        assert left == [home.keys.name("k_steps", second)]
        assert await home.read("PTTL", left[0]) == -1
        await platform.output(second)
        assert calls == ["three"]


async def test_an_event_is_kept_as_long_as_the_last_of_its_runs(store: Store) -> None:
    async with harness(store, shop([])) as platform:
        first = await platform.start("order.placed", {"id": "A"})
        await platform.output(first)
        platform.clock.advance(6 * DAY)
        await platform.scheduler.tick()
        second = await again(platform, first)
        await platform.output(second)
        edited = await again(platform, first, data={"id": "B"})
        await platform.output(edited)
        platform.clock.advance(2 * DAY)
        await platform.scheduler.trim()
        assert (await platform.event_of(second)).data == {"id": "A"}
        assert (await platform.output(await again(platform, second)))[1] == "A two three"
        with pytest.raises(NotSteered, match="there is no run"):
            await again(platform, first)
        await platform.stop_worker()
        await platform.forget_everything()
        assert await platform.keys_without_owner() == []


async def test_what_cannot_be_done_again_is_refused(store: Store) -> None:
    app = shop([])
    async with harness(store, app) as platform:
        run = await platform.start("order.placed", {"id": "A"})
        await platform.output(run)
        with pytest.raises(NoSuchStep, match=r"no step 'four'\. Its recorded steps: one, three, two"):
            await again(platform, run, from_step="four")
        with pytest.raises(Unfit, match="not of which step"):
            await again(platform, run, output=Given(1))
        with pytest.raises(Unfit, match="a request has 1 to 128 characters"):
            await platform.steering.rerun(run, Order(request=""))
        with pytest.raises(NotSteered, match="there is no run"):
            await again(platform, new_id(platform.clock.now()))
        with pytest.raises(NotSteered, match="there is no run"):
            await again(platform, "nothing")
        await platform.registry.register(App("shop").manifest)
        with pytest.raises(NotNow, match="no function 'shop/fulfil' is registered"):
            await again(platform, run)


async def test_a_run_is_done_again_a_thousand_times_at_most(store: Store) -> None:
    async with harness(store, shop([])) as platform:
        run = await platform.start("order.placed", {"id": "A"})
        await platform.output(run)
        home = platform.home_of(run)
        await home.read("HSET", home.keys.name("k_run", run), "reruns", 999)
        with pytest.raises(Unfit, match="the input has"):
            await again(platform, run, data={"x": "x" * platform.settings.max_event_bytes})
        order = Order(request="mine")
        last = await platform.steering.rerun(run, order)
        await platform.output(last)
        for asked in (Order(), Order(request="other"), Order(input={"id": "B"})):
            with pytest.raises(NotNow, match=r"done again 1,000 times, and may not be more often\. Send the event"):
                await platform.steering.rerun(run, asked)
        assert await platform.steering.rerun(run, order) == last
        await platform.output(await again(platform, last))


async def test_a_sleep_is_woken_and_a_retry_is_hurried(store: Store) -> None:
    app, tries = App("shop"), list[str]()

    @app.function(on="go", retries=3)
    async def work(ctx: Context[Any]) -> str:
        async def body() -> str:
            tries.append("step")
            if tries.count("step") == 1:
                raise ValueError("not yet")
            return "done"

        await ctx.step.sleep("nap", "30d")
        done = await ctx.step.run("try", body)
        tries.append("function")
        if tries.count("function") == 1:
            raise ValueError("once more")
        return done

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.until(run, Status.WAITING)
        with pytest.raises(NotNow, match="the function is not about to be tried again"):
            await platform.steering.retry(run)
        await platform.steering.wake(run, "nap")

        async def retrying() -> bool:
            row = (await platform.steps(run)).get("try")
            return row is not None and row.state == "retrying" and row.due > 0

        await platform.eventually(retrying)
        await platform.until(run, Status.WAITING)
        with pytest.raises(NotNow, match=r"about to be tried again, and waits for nothing else\. Retry it"):
            await platform.steering.wake(run, "try")
        with pytest.raises(NotNow, match="step 'nap' is not about to be tried again"):
            await platform.steering.retry(run, "nap")
        await platform.steering.retry(run, "try")

        async def body_retry() -> bool:
            return (await platform.run(run)).notbefore > 0

        await platform.eventually(body_retry)
        await platform.steering.retry(run)
        assert await platform.output(run) == "done"
        assert tries == ["step", "step", "function", "function"]
        with pytest.raises(NotNow, match="The run is completed; to do it again, rerun it"):
            await platform.steering.retry(run)
        await platform.steering.wake(run, "nap")
        with pytest.raises(NotNow, match="does not wait any more"):
            await platform.steering.wake(run, "try")


async def test_waits_are_resolved_by_hand(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        event = await ctx.step.wait_for_event("approval", "order.approved", timeout="7d")
        nothing = await ctx.step.wait_for_event("more", "order.more")
        first = await ctx.step.wait_for_any("decision", {"yes": on_event("approved"), "late": "3d"})
        second = await ctx.step.wait_for_any("other", {"yes": on_event("approved"), "late": "3d"})
        told = event and [event.name, event.data]
        return [told, nothing, first.name, first.event and first.event.data, second.name, second.event]

    async with harness(store, app) as platform:
        run = await platform.start("go")
        resolve = platform.steering.resolve
        await platform.eventually(lambda: has_step(platform, run, "approval"))
        with pytest.raises(Unfit, match="approval': data: Input should be a valid dictionary"):
            await resolve(run, "approval", output=Given({"data": 7}))
        with pytest.raises(Unfit, match="either an output or an error"):
            await resolve(run, "approval")
        await resolve(run, "approval", output=Given({"data": {"by": "Ada"}}))
        await platform.eventually(lambda: has_step(platform, run, "more"))
        with pytest.raises(NotNow, match=r"waits without a timeout\. Resolve it"):
            await platform.steering.wake(run, "more")
        await resolve(run, "more", output=Given(None))
        await platform.eventually(lambda: has_step(platform, run, "decision"))
        with pytest.raises(Unfit, match=r"waits for no 'no'\. It waits for yes, late"):
            await resolve(run, "decision", output=Given({"name": "no"}))
        with pytest.raises(Unfit, match="'yes' is an event"):
            await resolve(run, "decision", output=Given({"name": "yes"}))
        with pytest.raises(Unfit, match="'late' is a time"):
            await resolve(run, "decision", output=Given({"name": "late", "event": {}}))
        await resolve(run, "decision", output=Given({"name": "yes", "event": {"data": {"n": 1}}}))
        await platform.eventually(lambda: has_step(platform, run, "other"))
        await resolve(run, "other", output=Given({"name": "late"}))
        assert await platform.output(run) == [["order.approved", {"by": "Ada"}], None, "yes", {"n": 1}, "late", None]
        with pytest.raises(NotNow, match="does not wait any more"):
            await resolve(run, "approval", output=Given(None))
        await platform.waits.errands.empty()
        await platform.forget_everything()


async def test_a_rerun_takes_no_outcome_that_cannot_be_checked(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        return [
            (await ctx.step.wait_for_any(key, {"yes": on_event("approved"), "late": "3d"})).name
            for key in ("time", "event", "hand")
        ]

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.eventually(lambda: has_step(platform, run, "time"))
        waits = await again(platform, run, from_step="time", output=Given({"name": "yes", "event": {}}))
        await platform.steering.wake(run, "time")
        await platform.eventually(lambda: has_step(platform, run, "event"))
        platform.clock.advance(1)
        await platform.send("approved")
        await platform.eventually(lambda: has_step(platform, run, "hand"))
        await platform.steering.resolve(run, "hand", output=Given({"name": "yes", "event": {"data": {"n": 1}}}))
        assert await platform.output(run) == ["late", "yes", "yes"]

        async def refused(key: str, value: Any, why: str) -> None:
            with pytest.raises(Unfit, match=why):
                await again(platform, run, from_step=key, output=Given(value))

        await refused(
            "time", {"name": "nobody"}, "only 'late' is kept: 'nobody' cannot be checked. Leave the output out"
        )
        await refused("time", {"name": "yes", "event": {}}, "only 'late' is kept")
        await refused("time", {"name": "late", "event": {}}, "'late' is a time, which has no event")
        await refused("event", {"name": "nobody"}, "none is kept: 'nobody' cannot be checked")
        await refused("event", {"name": "yes"}, "none is kept")
        await refused("hand", {"name": "yes"}, "'yes' is an event")
        await refused("hand", {"name": "nobody"}, "only 'yes' is kept")
        late = await again(platform, run, from_step="time", output=Given({"name": "late"}))
        hand = await again(platform, run, from_step="hand", output=Given({"name": "yes", "event": {"data": {"n": 2}}}))
        assert await platform.output(hand) == ["late", "yes", "yes"]
        assert (await platform.steps(late))["time"].payload == b'["late"]'
        for unfinished in (waits, late):
            await platform.cancel(unfinished)


async def has_step(platform: Harness, run: str, key: str) -> bool:
    """Whether a step is recorded, and all that has to be done for it has been done."""
    await platform.waits.errands.empty()
    return key in await platform.steps(run)


async def test_an_invoke_is_resolved_by_hand_and_its_child_goes_on(store: Store) -> None:
    app, go_on = App("shop"), asyncio.Event()

    @app.function(on="child.only")
    async def child(ctx: Context[Any]) -> str:
        await ctx.step.run("slow", go_on.wait)
        return "of the child"

    @app.function(on="go")
    async def parent(ctx: Context[Any]) -> Any:
        good = await ctx.step.invoke("good", child, data={})
        try:
            await ctx.step.invoke("bad", child, data={})
        except Exception as error:
            return [good, str(error)]
        return None

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await platform.eventually(lambda: has_step(platform, run, "good"))
        await platform.steering.resolve(run, "good", output=Given("by hand"))
        await platform.eventually(lambda: has_step(platform, run, "bad"))
        await platform.steering.resolve(run, "bad", error=Given({"message": "never mind"}))
        good, told = await platform.output(run)
        assert good == "by hand"
        assert "never mind" in told
        go_on.set()
        children = [(await platform.header(run))[name].decode() for name in (b"k:good", b"k:bad")]
        for one in children:
            assert await platform.output(one) == "of the child"


async def test_a_wait_that_is_kept_has_taken_its_event(store: Store) -> None:
    app = App("shop")

    @app.function(on="go")
    async def work(ctx: Context[Any]) -> Any:
        first = await ctx.step.wait_for_event("said", "said", timeout="1d")
        other = await ctx.step.wait_for_event("other", "other", timeout="1d")
        second = await ctx.step.wait_for_event("said", "said", timeout="1d")
        return [event and event.data["n"] for event in (first, other, second)]

    async with harness(store, app) as platform:
        run = await platform.start("go")
        await waiting(platform, run)
        for name, number in (("other", 0), ("said", 1), ("said", 2)):
            platform.clock.advance(1)
            await platform.send(name, {"n": number})
            await platform.waits.errands.empty()
        assert await platform.output(run) == [1, 0, 2]
        assert await platform.output(await again(platform, run, from_step="other")) == [1, 0, 2]
        assert await platform.output(await again(platform, run, from_step="said:1")) == [1, 0, 2]
        assert await platform.output(await again(platform, run)) == [1, 0, 2], "what came is looked back at"


async def test_a_run_knows_the_versions_that_it_ran_on_and_what_no_longer_is_asked_for(store: Store) -> None:
    def version(number: str) -> App:
        app = App("shop", version=number)

        @app.function(on="go")
        async def work(ctx: Context[Any]) -> str:
            if number == "1":
                await ctx.step.run("old", lambda: 1)
            await ctx.step.sleep("nap", "1h")
            if number == "2":
                await ctx.step.sleep("nap", "1h")
            return number

        return app

    async with harness(store, version("1")) as platform:
        run, quick = await platform.start("go"), await platform.start("go")
        await platform.until(run, Status.WAITING)
        await platform.until(quick, Status.WAITING)
        await platform.advance(3_600_000)
        assert await platform.output(quick) == "1"
        assert (await platform.run(quick)).versions == ("1",)
        assert (await platform.run(quick)).drift == ()
        second = await platform.start("go")
        await platform.until(second, Status.WAITING)
        await platform.stop_worker()
        platform.apps = [version("2")]
        await platform.registry.register(platform.apps[0].manifest)
        await platform.start_worker()
        await platform.advance(3_600_000)

        async def twice() -> bool:
            return "nap:1" in await platform.steps(second)

        await platform.eventually(twice)
        await platform.until(second, Status.WAITING)
        await platform.advance(3_600_000)
        assert await platform.output(second) == "2"
        header = await platform.run(second)
        assert (header.version, header.versions, header.drift) == ("1", ("1", "2"), ("old",))
        assert (await platform.run(await again(platform, second))).version == "2"


async def test_controls_count_from_when_a_run_is_done_again(store: Store) -> None:
    app = App("shop")

    @app.function(
        on="go",
        cancel_on=CancelOn("stop", match="data.id"),
        idempotency=Idempotency("event.data.id", period="24h"),
        timeouts=Timeouts(finish="2h"),
    )
    async def work(ctx: Context[Any]) -> str:
        await ctx.step.sleep("nap", "3h")
        return "rested"

    async with harness(store, app) as platform:
        first = await platform.start("go", {"id": 1})
        await waiting(platform, first)
        platform.clock.advance(1)
        await platform.send("stop", {"id": 1})
        await platform.until(first, Status.CANCELLED)
        platform.clock.advance(1)
        await platform.scheduler.tick()
        second, third, fourth = [await again(platform, first) for _ in range(3)]
        other = await again(platform, first, data={"id": 2})
        for run in (second, third, fourth, other):
            await waiting(platform, run)
        await platform.steering.wake(fourth, "nap")
        assert await platform.output(fourth) == "rested"
        platform.clock.advance(1)
        await platform.send("stop", {"id": 1})
        for run in (second, third):
            assert b"CancelledByEvent" in (await platform.until(run, Status.CANCELLED)).error
        await platform.advance(2 * 3_600_000)
        assert b"Timeout" in (await platform.until(other, Status.CANCELLED)).error
        await platform.waits.errands.empty()
        await platform.stop_worker()
        await platform.forget_everything()
        # Events and keys are forgotten by time that a test does not have, and so are waits in another partition.
        forgotten = (":heard:", ":once:", *((":waits:",) if len(platform.partitions) > 1 else ()))
        left = await platform.keys_without_owner()
        assert [key for key in left if not any(name in key for name in forgotten)] == []
