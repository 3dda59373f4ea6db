"""Runs of functions that are called over HTTP: what the app is told, and what becomes of what it answers."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stepwell.functions.protocol import FunctionManifest, Manifest
from stepwell.platform.engine import cards as engine
from stepwell.platform.engine.cards import Card
from stepwell.platform.history import History
from stepwell.platform.reading.wait import Wait
from stepwell.platform.records import Status
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.waits.signals import SignalTaken
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.replies import Away
from tests.remote_desk import URL, Answer, RemoteDesk, Told, answer, done, op, ops, sequence

MINUTE = 60_000


async def test_steps_are_executed_one_after_the_other_and_recorded_once(store: Store) -> None:
    async with RemoteDesk.open(store, sequence("a", "b", "c")) as desk:
        run = await desk.start("pay", {"id": 7})
        assert await desk.output(run) == ["a done", "b done", "c done"]
        assert [(step.key, step.kind, step.attempts) for step in (await desk.steps(run)).values()] == [
            ("a", "run", 1),
            ("b", "run", 1),
            ("c", "run", 1),
        ]
        first, *_, last = desk.caller.calls
        assert len(desk.caller.calls) == 4
        assert first.step == "step"
        assert first.body["event"]["data"] == {"id": 7}
        assert first.body["event"]["user"] == {}
        assert first.body["events"] == [first.body["event"]]
        assert (first.body["version"], last.body["version"]) == (-1, 2), "the app has chosen"
        assert first.ctx["run_id"] == run
        assert (first.ctx["attempt"], first.ctx["max_attempts"]) == (0, 3)
        assert last.ctx["stack"] == {"stack": [wire_id(key) for key in "abc"], "current": 3}
        assert last.of("b") == {"data": "b done"}


async def test_a_run_goes_on_after_a_sleep_with_what_was_recorded(store: Store) -> None:
    def app(told: Told) -> Answer:
        if not told.knows("a"):
            return ops(done("a", 1))
        if not told.knows("nap"):
            return ops(op("Sleep", "nap", name="1m", opts={}))
        return answer(200, [told.of("a"), told.of("nap")])

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        await desk.advance(MINUTE - 1)
        assert (await desk.run(run)).status is Status.WAITING, "timers are never early"
        await desk.advance(1)
        assert await desk.output(run) == [{"data": 1}, None]
        assert len(desk.caller.calls) == 3


async def test_a_sleep_may_be_until_a_moment(store: Store) -> None:
    def app(told: Told) -> Answer:
        return answer(200, "up") if told.knows("nap") else ops(op("Sleep", "nap", name="2090-01-01T00:00:00.5Z"))

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        assert (await desk.steps(run))["nap"].due == 3_786_912_000_500
        await desk.cancel(run)
        await desk.until(run, Status.CANCELLED)


async def test_a_failed_step_is_tried_again_and_given_up(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.knows("charge"):
            return answer(200, told.of("charge")["error"]["message"])
        # An SDK that does not count by itself.
        error = {"name": "CardDeclined", "message": f"no money {told.ctx['attempt']}", "stack": "at bank"}
        return ops(op("StepError", "charge", error=error))

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        for seconds in (1, 2):
            await desk.until(run, Status.WAITING)
            await desk.advance(seconds * 1000)
        assert await desk.output(run) == "no money 2"
        assert [call.ctx["attempt"] for call in desk.caller.calls] == [0, 1, 2, 0]
        step = (await desk.steps(run))["charge"]
        assert (step.state, step.attempts) == ("failed", 3)
        assert desk.caller.calls[-1].of("charge")["error"] == {
            "name": "CardDeclined",
            "message": "no money 2",
            "stack": "at bank",
        }


@pytest.mark.parametrize("how", ["StepFailed", "no retry"])
async def test_an_app_may_give_up_a_step_at_once(store: Store, how: str) -> None:
    def app(told: Told) -> Answer:
        if told.knows("charge"):
            return answer(200, "caught")
        if how == "StepFailed":
            return ops(op("StepFailed", "charge", error={"name": "E", "message": "no"}))
        return ops(op("StepError", "charge", error={"name": "E", "message": "no"}), x_inngest_no_retry="true")

    async with RemoteDesk.open(store, app) as desk:
        assert await desk.output(await desk.start("pay")) == "caught"


async def test_an_app_may_say_when_it_wants_to_be_called_again(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.knows("charge"):
            return answer(200, "served")
        if told.ctx["attempt"] == 0:
            return ops(op("StepError", "charge", error={"name": "Busy", "message": ""}), retry_after="90")
        return ops(done("charge"))

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        await desk.advance(89_000)
        assert (await desk.run(run)).status is Status.WAITING
        await desk.advance(1_000)
        assert await desk.output(run) == "served"


async def test_the_function_itself_is_tried_again(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.ctx["attempt"] < 2:
            return answer(500, {"name": "TypeError", "message": "undefined", "stack": "at x"})
        return answer(200, "at last")

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        for seconds in (1, 2):
            await desk.until(run, Status.WAITING)
            await desk.advance(seconds * 1000)
        assert await desk.output(run) == "at last"


async def test_a_function_fails_for_good_when_its_tries_are_used_up_or_it_says_so(store: Store) -> None:
    final = answer(500, {"name": "NonRetriableError", "message": "blocked"}, x_inngest_no_retry="true")
    async with RemoteDesk.open(store, lambda _: final) as desk:
        error = await desk.error(await desk.start("pay"))
        assert (error["type"], error["message"]) == ("NonRetriableError", "blocked")
        desk.caller.handler = lambda _: answer(500, {"name": "E", "message": "again"})
        run = await desk.start("pay")
        for seconds in (1, 2):
            await desk.until(run, Status.WAITING)
            await desk.advance(seconds * 1000)
        assert (await desk.error(run))["message"] == "again"


def planned(told: Told, *keys: str, race: bool = False) -> Answer:
    """A plan of those steps that are left, or one of them executed."""
    for key in keys:
        if told.is_for(key):
            return ops(done(key, key))
    options = {"parallelMode": "race"} if race else None
    return ops(*[op("StepPlanned", key, opts=options) for key in keys if not told.knows(key)])


async def test_planned_steps_are_executed_beside_each_other(store: Store) -> None:
    together = asyncio.Barrier(3)

    async def app(told: Told) -> Answer:
        if told.step != "step":
            await together.wait()
        if all(told.knows(key) for key in "abc"):
            return answer(200, "all")
        return planned(told, *"abc")

    async with RemoteDesk.open(store, app) as desk:
        assert await desk.output(await desk.start("pay")) == "all"
        first, *single, last = desk.caller.calls
        assert {call.step for call in single} == {wire_id(key) for key in "abc"}
        assert not first.ctx["disable_immediate_execution"]
        assert all(call.ctx["disable_immediate_execution"] for call in single)
        assert not last.ctx["disable_immediate_execution"]
        assert len(desk.caller.calls) == 5, "the app is asked once for all of them"


async def test_in_a_race_the_app_is_asked_as_soon_as_one_has_ended(store: Store) -> None:
    slow = asyncio.Event()

    async def app(told: Told) -> Answer:
        if told.knows("hare"):
            return answer(200, "won")
        if told.is_for("tortoise"):
            await slow.wait()
        return planned(told, "hare", "tortoise", race=True)

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        assert await desk.output(run) == "won"
        assert desk.caller.calls[-1].ctx["disable_immediate_execution"], "something else is under way"


async def test_of_planned_steps_only_the_one_that_failed_is_tried_again(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.is_for("b") and told.ctx["attempt"] == 0:
            return ops(op("StepError", "b", error={"name": "E", "message": "not yet"}))
        return planned(told, "a", "b") if not (told.knows("a") and told.knows("b")) else answer(200, "both")

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        await desk.advance(1_000)
        assert await desk.output(run) == "both"
        assert [call.step for call in desk.caller.calls].count(wire_id("a")) == 1
        tried = [call.ctx["attempt"] for call in desk.caller.calls if call.is_for("b")]
        assert tried == [0, 1]


async def test_a_wait_ends_with_its_event_or_with_its_time(store: Store) -> None:
    def app(told: Told) -> Answer:
        if not told.knows("approval"):
            options = {"timeout": "1h", "if": "event.data.id == async.data.id"}
            return ops(op("WaitForEvent", "approval", name="approved", opts=options))
        return answer(200, told.of("approval"))

    async with RemoteDesk.open(store, app) as desk:
        runs = [await desk.start("pay", {"id": number}) for number in (1, 2)]
        for run in runs:
            await desk.until(run, Status.WAITING)
        await desk.send("approved", {"id": 2, "by": "ann"})
        event = await desk.output(runs[1])
        assert (event["name"], event["data"], event["user"]) == ("approved", {"id": 2, "by": "ann"}, {})
        await desk.advance(60 * MINUTE)
        assert await desk.output(runs[0]) is None


@asynccontextmanager
async def told_of_ends(desk: RemoteDesk) -> AsyncGenerator[None]:
    """Meanwhile the scheduler tells parents of the ends of their children."""

    async def tell() -> None:
        while True:
            await desk.scheduler.tick()
            await asyncio.sleep(0.01)

    telling = asyncio.create_task(tell())
    yield
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)


def signalled(told: Told, **options: Any) -> Answer:
    """An app that waits for the signal `go`, and returns what it was told of it."""
    given = {"signal": "go", "timeout": "1h", "conflict": "fail", **options}
    return answer(200, told.of("s")) if told.knows("s") else ops(op("WaitForSignal", "s", name="go", opts=given))


async def test_a_signal_ends_the_wait_for_it(store: Store) -> None:
    async with RemoteDesk.open(store, signalled) as desk:
        assert await desk.waits.signals.send("go", 1) is None, "nobody waits"
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        view = await History(desk.partitions, desk.registry).run(run)
        assert view is not None
        assert [(wait.kind, wait.what.signal) for wait in view.waiting_on] == [("wait_for_signal", "go")]
        assert await desk.waits.signals.send("go", {"by": "ann"}) == run
        assert await desk.waits.signals.send("go", 2) is None, "the first one has ended it"
        assert await desk.output(run) == {"data": {"signal": "go", "data": {"by": "ann"}}}
        late = await desk.start("pay")
        await desk.until(late, Status.WAITING)
        await desk.advance(60 * MINUTE)
        assert await desk.output(late) is None
        assert await desk.waits.signals.send("go", 3) is None


async def test_one_run_at_a_time_waits_for_a_signal(store: Store) -> None:
    async with RemoteDesk.open(store, signalled) as desk:
        first = await desk.start("pay")
        await desk.until(first, Status.WAITING)
        error = await desk.error(await desk.start("pay"))
        assert error["type"] == "SignalTaken"
        assert f"run {first} waits for the signal 'go' already" in error["message"]
        desk.caller.handler = lambda told: signalled(told, conflict="replace")
        second = await desk.start("pay")
        await desk.until(second, Status.WAITING)
        assert await desk.waits.signals.send("go", "x") == second
        assert await desk.output(second) == {"data": {"signal": "go", "data": "x"}}
        assert (await desk.run(first)).status is Status.WAITING, "until its time is over"
        await desk.advance(60 * MINUTE)
        assert await desk.output(first) is None


@pytest.mark.parametrize("end", ["cancelled", "over"])
async def test_a_signal_that_nobody_waits_for_any_more_may_be_had_by_another(store: Store, end: str) -> None:
    async with RemoteDesk.open(store, signalled) as desk:
        first = await desk.start("pay")
        await desk.until(first, Status.WAITING)
        if end == "cancelled":
            await desk.cancel(first)
        else:
            await desk.advance(60 * MINUTE)
            await desk.output(first)
        second = await desk.start("pay")
        await desk.until(second, Status.WAITING)
        assert await desk.waits.signals.send("go", 1) == second
        assert await desk.output(second) == {"data": {"signal": "go", "data": 1}}


async def test_a_signal_is_held_by_who_is_about_to_wait_but_not_for_ever(store: Store) -> None:
    async with RemoteDesk.open(store, signalled) as desk:
        signals, until = desk.waits.signals, desk.clock.now() + MINUTE
        mine = await desk.start("pay")
        await desk.until(mine, Status.WAITING)
        await signals.claim("other", mine, "not yet", until, replace=False)
        await signals.claim("other", mine, "not yet", until, replace=False)
        with pytest.raises(SignalTaken, match="waits for the signal 'other' already"):
            await signals.claim("other", "01M7Y87JDZ00A3G3JMFMD266KQ", "s", until, replace=False)
        await desk.advance(MINUTE)
        await signals.claim("other", mine, "s", desk.clock.now() + MINUTE, replace=False)
        await desk.cancel(mine)


async def test_another_function_is_invoked_by_its_name_in_the_protocol(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.body["event"]["name"] == "inngest/function.invoked":
            number = told.body["event"]["data"]["number"]
            return (
                answer(200, 2 * number)
                if number
                else answer(400, {"name": "E", "message": "zero"}, x_inngest_no_retry="true")
            )
        for key, number in (("two", 1), ("none", 0)):
            if not told.knows(key):
                return ops(
                    op("InvokeFunction", key, opts={"function_id": "shop-pay", "payload": {"data": {"number": number}}})
                )
        return answer(200, [told.of("two"), told.of("none")])

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        async with told_of_ends(desk):
            two, none = await desk.output(run)
        assert two == {"data": 2}
        assert none["error"]["message"] == "zero"


async def test_what_is_over_and_done_with_is_not_called(store: Store) -> None:
    """Steps and the end of the run in one reply, as of an app that has had everything recorded meanwhile."""
    reply = ops(done("a", 1), op("RunComplete", "", data={"paid": True}))
    async with RemoteDesk.open(store, lambda _: reply) as desk:
        run = await desk.start("pay")
        assert await desk.output(run) == {"paid": True}
        assert list(await desk.steps(run)) == ["a"]
        assert len(desk.caller.calls) == 1


async def test_a_step_may_be_called_as_the_end_of_a_run_is(store: Store) -> None:
    """The TypeScript SDK tells of the end under the id of a step that is called "complete"."""

    def app(told: Told) -> Answer:
        end = {"op": "RunComplete", "id": wire_id("complete"), "data": "all"}
        return ops(end) if told.knows("complete") else ops(done("first"), done("complete", 7))

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        assert await desk.output(run) == "all"
        assert list(await desk.steps(run)) == ["first", "complete"]
        assert len(desk.caller.calls) == 2


async def test_a_large_state_is_left_for_the_app_to_fetch(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.body["use_api"]:
            assert told.ctx["use_api"]
            assert told.steps == {}
            assert told.body["events"] == []
            return answer(200, len(told.ctx["stack"]["stack"]))
        return ops(done(f"page-{len(told.steps)}", "x" * (2 << 20)))

    async with RemoteDesk.open(store, app) as desk:
        assert await desk.output(await desk.start("pay")) == 2


async def test_an_app_that_is_away_loses_no_try_and_no_run(store: Store) -> None:
    async with RemoteDesk.open(store, sequence("a"), retries={"times": 0}) as desk:
        desk.caller.failing = Away("the app answers 502")
        run = await desk.start("pay")
        await desk.eventually(lambda: asyncio.sleep(0, desk.app.circuit.away))
        await desk.until(run, Status.QUEUED)
        assert desk.app.circuit.bound == 0, "it is left alone for a while"
        desk.caller.failing = None
        assert await desk.output(run) == ["a done"]
        assert desk.app.circuit.away is None
        assert {call.ctx["attempt"] for call in desk.caller.calls} == {0}


async def test_that_an_app_is_away_is_told_to_those_who_ask(store: Store) -> None:
    async with RemoteDesk.open(store, sequence("a")) as desk:
        history = History(desk.partitions, desk.registry)

        async def reasons() -> list[Wait]:
            view = await history.run(run)
            return [wait for wait in view.waiting_on if wait.kind == "away"] if view else []

        async def card() -> Card | None:
            [worker] = await history.workers()
            return worker.card

        desk.caller.failing = Away("the app answers 502")
        run, now = await desk.start("pay"), desk.clock.now()
        await desk.eventually(reasons)
        [wait] = await reasons()
        assert (wait.app, wait.why, wait.since, wait.until) == ("shop", "app shop answers 502", now, now + 1_000)
        shown = await card()
        assert shown is not None
        assert (shown.served, shown.apps, shown.functions) == (URL, {"shop": "1"}, ("shop/pay",))
        assert shown.away == engine.Away("the app answers 502", now, now + 1_000)
        desk.caller.failing = None
        assert await desk.output(run) == ["a done"]

        async def back() -> bool:
            shown = await card()
            return shown is not None and shown.away is None

        await desk.eventually(back)


WRONG: list[tuple[Any, str]] = [
    ((200, {"content-type": "text/html"}, b"<h1>Sign in</h1>"), "answers 200 with text/html, and not as an SDK does"),
    (
        (302, {"location": "http://169.254.169.254/"}, b""),
        "redirects to http://169.254.169.254/, which is not followed",
    ),
    (answer(206, b'[{"op": "StepRun", "id"'), "answers 206 with what is no JSON"),
    (answer(206, [7]), "an operation is a JSON object, not 7"),
    (answer(206, [{"id": "a"}]), "an operation has no name"),
    (ops(op("Teleport", "a")), "step 'a' is to do 'Teleport', which is not supported here"),
    (ops(), "reports nothing that is new"),
    (answer(302, {}), "answers 302, which the SDK protocol does not know"),
    (answer(201, b"   {}"), "what it streams has no status"),
    (ops(op("Sleep", "a", name="soon")), "step 'a'"),
    (ops(op("WaitForEvent", "a", opts={"event": 7})), "step 'a' waits for an event that has no name"),
    (ops(op("WaitForEvent", "a", name="x", opts={"timeout": "1h", "if": "1 +"})), "step 'a'"),
    (ops(op("InvokeFunction", "a", opts={})), "step 'a' invokes a function that has no name"),
    (
        ops(op("InvokeFunction", "a", opts={"function_id": "f", "payload": {"data": 1}})),
        "the data of an event is an object",
    ),
    (answer(200, "x" * 2_000), "an output has at most 1,024"),
    (ops(done("a", "x" * 2_000)), "an output has at most 1,024"),
]


@pytest.mark.parametrize(("reply", "said"), WRONG, ids=[said[:40] for _, said in WRONG])
async def test_what_makes_no_sense_fails_the_run_and_is_said(store: Store, reply: Answer, said: str) -> None:
    settings = Settings(max_output_bytes=1_024)
    async with RemoteDesk.open(store, lambda _: reply, settings, retries={"times": 0}) as desk:
        run = await desk.start("pay")
        assert said in (await desk.error(run))["message"]


async def test_a_streamed_reply_is_unwrapped(store: Store) -> None:
    streamed = {"status": 200, "headers": {"X-Inngest-Req-Version": "1"}, "body": '"slow"'}
    reply = answer(201, b"     " + answer(200, streamed)[2])
    async with RemoteDesk.open(store, lambda _: reply) as desk:
        assert await desk.output(await desk.start("pay")) == "slow"


async def test_a_planned_step_that_the_app_does_not_execute_is_told(store: Store) -> None:
    def app(told: Told) -> Answer:
        return ops(op("StepPlanned", "a"), op("StepPlanned", "b")) if told.step == "step" else ops()

    async with RemoteDesk.open(store, app, retries={"times": 0}) as desk:
        assert "has not executed step" in (await desk.error(await desk.start("pay")))["message"]


async def test_a_call_under_way_when_its_lease_is_lost_records_nothing(store: Store) -> None:
    go_on, calls = asyncio.Event(), list[str]()

    async def app(told: Told) -> Answer:
        calls.append(told.step)
        if len(calls) == 1:
            await go_on.wait()
            return ops(done("a", "too late"))
        return sequence("a")(told)

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.RUNNING)
        assert desk.worker
        await desk.reap(desk.worker.session.id, executing=False)
        go_on.set()
        await desk.stop_worker(drain=False)
        await desk.serve()
        assert await desk.output(run) == ["a done"]


async def test_the_end_of_a_server_says_nothing_against_its_runs(store: Store) -> None:
    async def app(told: Told) -> Answer:
        if not going_on.is_set():
            await asyncio.Event().wait()
        return sequence("a")(told)

    going_on = asyncio.Event()
    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        for _ in range(5):
            await desk.until(run, Status.RUNNING)
            await desk.stop_worker(drain=False)
            await desk.live_on(int(desk.settings.session_expiry) + 3)
            await desk.until(run, Status.QUEUED)
            await desk.serve()
        await desk.stop_worker()
        going_on.set()
        await desk.serve()
        assert await desk.output(run) == ["a done"]
        assert (await desk.run(run)).crashes == 0


async def test_a_cancelled_run_is_not_waited_for(store: Store) -> None:
    async def app(_: Told) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.RUNNING)
        await desk.cancel(run)
        await desk.until(run, Status.CANCELLED)


async def test_a_step_may_be_called_anything(store: Store) -> None:
    """Even what calls and other steps are called by here."""
    keys = ("step", "", "x" * 300, wire_id("a"), "ä\n")
    taken = tuple(key for key in keys if key)

    def app(told: Told) -> Answer:
        left = [key for key in taken if key_on_the_wire(key) not in told.steps]
        if not left:
            return answer(200, "all")
        return ops({"op": "StepRun", "id": key_on_the_wire(left[0]), "userland": {"id": left[0]}, "data": 1})

    async with RemoteDesk.open(store, app) as desk:
        assert await desk.output(await desk.start("pay")) == "all"


def key_on_the_wire(key: str) -> str:
    """As SDKs make it, whatever the key looks like."""
    from hashlib import sha1

    return sha1(key.encode(), usedforsecurity=False).hexdigest()


async def test_repeats_of_a_step_are_named_as_in_our_own_functions(store: Store) -> None:
    def app(told: Told) -> Answer:
        for index in range(3):
            key = f"turn:{index}" if index else "turn"
            if not told.knows(key):
                return ops(
                    {"op": "StepRun", "id": wire_id(key), "userland": {"id": "turn", "index": index}, "data": index}
                )
        return answer(200, "done")

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.output(run)
        assert list(await desk.steps(run)) == ["turn", "turn:1", "turn:2"]


async def test_a_function_may_be_served_that_a_worker_has_executed_before(store: Store) -> None:
    """Its suspended runs, and those that have killed workers, go on in the app."""
    async with RemoteDesk.open(store, sequence("a")) as desk:
        await desk.stop_worker()
        manifest = FunctionManifest.model_validate(
            {"id": "pay", "triggers": [{"event": "pay"}], "retries": {"times": 2}}
        )
        await desk.registry.register(Manifest(id="shop", version="0", functions=[manifest]))
        run = await desk.start("pay")
        await desk.register()
        await desk.serve()
        assert await desk.output(run) == ["a done"]
