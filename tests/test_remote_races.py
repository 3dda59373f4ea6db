"""Apps that are called over HTTP and answer too late, twice, at the same time, or bring themselves down."""

import asyncio

import pytest

from stepwell.functions.journal import Outcome
from stepwell.platform.executor.remote import circuit, execution, judgement
from stepwell.platform.history import History
from stepwell.platform.records import Status, StepRow
from stepwell.platform.settings import Settings
from stepwell.platform.store.store import Store
from stepwell.platform.wire.keys import wire_id
from stepwell.platform.wire.replies import Away, Broken
from tests.remote_desk import Answer, RemoteDesk, Told, answer, done, op, ops, sequence


def error(message: str) -> dict[str, str]:
    """One as SDKs tell of it."""
    return {"name": "E", "message": message}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that is away is called again at once."""
    monkeypatch.setattr(circuit, "SHORTEST", 0.005)
    monkeypatch.setattr(circuit, "LONGEST", 0.02)


@pytest.mark.usefixtures("quick")
async def test_a_run_that_brings_the_app_down_fails_and_others_complete(store: Store) -> None:
    def app(told: Told) -> Answer:
        if told.body["event"]["data"].get("poison"):
            raise Broken("the connection to the app broke: Server disconnected")
        return sequence("a")(told)

    async with RemoteDesk.open(store, app, Settings(retry_interval=1, crash_limit=2), retries={"times": 1}) as desk:
        poison = await desk.start("pay", {"poison": True})
        healthy = await desk.start("pay")
        assert await desk.output(healthy) == ["a done"]
        for _ in range(60):
            await desk.advance(1_000)
            await desk.eventually_idle()
            if (await desk.run(poison)).status.ended:
                break
        said = await desk.error(poison)
        assert said["type"] == "Crashed"
        assert (
            "the connection to the app broke: Server disconnected, 3 times in a row as this was called"
            in (said["message"])
        )
        assert await desk.output(await desk.start("pay")) == ["a done"]
        assert desk.app.circuit.away is None


@pytest.mark.usefixtures("quick")
async def test_a_run_for_which_the_app_is_always_away_keeps_no_other_from_it(store: Store) -> None:
    """As behind a proxy that answers in the place of an app that dies of it: it is not known to be the run's fault."""

    def app(told: Told) -> Answer:
        if told.body["event"]["data"].get("poison"):
            raise Away("the app answers 502")
        return sequence("a")(told)

    async with RemoteDesk.open(store, app) as desk:
        poison = await desk.start("pay", {"poison": True})
        assert await desk.output(await desk.start("pay")) == ["a done"]
        await desk.until(poison, Status.WAITING)
        view = await History(desk.partitions, desk.registry).run(poison)
        assert view
        assert [(wait.kind, wait.why, wait.until) for wait in view.waiting_on] == [
            ("away", "calls of this run did not get through to app shop", desk.clock.now() + judgement.ASIDE)
        ]
        desk.caller.handler = sequence("a")
        await desk.advance(judgement.ASIDE)
        assert await desk.output(poison) == ["a done"]


async def test_planned_steps_that_wait_for_their_turn_are_not_begun_when_the_worker_leaves(store: Store) -> None:
    keys, go_on = [f"s{number}" for number in range(execution.AT_ONCE + 8)], asyncio.Event()

    async def app(told: Told) -> Answer:
        if told.step == "step":
            left = [op("StepPlanned", key) for key in keys if not told.knows(key)]
            return ops(*left) if left else answer(200, "all")
        await go_on.wait()
        return next(ops(done(key)) for key in keys if told.is_for(key))

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.eventually(lambda: asyncio.sleep(0, len(desk.caller.calls) > execution.AT_ONCE))
        leaving = asyncio.create_task(desk.stop_worker())
        await desk.eventually_idle()
        go_on.set()
        await leaving
        assert len(desk.caller.calls) == 1 + execution.AT_ONCE
        assert {step.state for step in (await desk.steps(run)).values()} == {"done"}
        assert len(await desk.steps(run)) == execution.AT_ONCE, "what was under way is recorded"
        await desk.serve()
        assert await desk.output(run) == "all"
        assert len([call for call in desk.caller.calls if call.step != "step"]) == len(keys), "and not executed again"


async def test_what_executes_beside_a_step_that_fails_the_function_is_recorded(store: Store) -> None:
    """The Python SDK answers so when a step raises RetryAfterError."""
    failed = asyncio.Event()

    async def app(told: Told) -> Answer:
        if told.is_for("a"):
            await failed.wait()
            await asyncio.sleep(0.02)
            return ops(done("a", "slow"))
        if told.is_for("b") and told.ctx["attempt"] == 0 and not failed.is_set():
            failed.set()
            return answer(500, error("busy"), retry_after="5")
        if told.is_for("b"):
            return ops(done("b", "late"))
        left = [op("StepPlanned", key) for key in "ab" if not told.knows(key)]
        return ops(*left) if left else answer(200, [told.of("a"), told.of("b")])

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        assert list(await desk.steps(run)) == ["a"]
        await desk.advance(5_000)
        assert await desk.output(run) == [{"data": "slow"}, {"data": "late"}]
        assert len([call for call in desk.caller.calls if call.is_for("a")]) == 1


async def test_an_app_that_always_wants_to_be_called_again_is_told_off(store: Store) -> None:
    async with RemoteDesk.open(store, lambda _: ops(op("DiscoveryRequest")), retries={"times": 0}) as desk:
        said = (await desk.error(await desk.start("pay")))["message"]
        assert "wants to be called again and again, and reports nothing that is new" in said
        assert len(desk.caller.calls) == 1 + execution.RESTARTS


async def test_an_app_may_want_to_be_called_again_as_long_as_it_gets_on(store: Store) -> None:
    def app(told: Told) -> Answer:
        number = len(told.steps)
        if len(desk.caller.calls) % 2:
            return ops(op("DiscoveryRequest"))  # it had no time for more
        return ops(done(f"s{number}"), op("DiscoveryRequest")) if number < 8 else answer(200, number)

    async with RemoteDesk.open(store, app) as desk:
        assert await desk.output(await desk.start("pay")) == 8


async def test_of_two_reports_of_a_step_the_first_counts(store: Store) -> None:
    both = asyncio.Barrier(2)

    async def app(told: Told) -> Answer:
        if told.step == "step":
            left = [op("StepPlanned", key) for key in "ab" if not told.knows(key)]
            return ops(*left) if left else answer(200, [told.of("a")["data"], told.of("b")["data"]])
        await both.wait()
        who = "a" if told.is_for("a") else "b"
        return ops(done("a", f"by {who}"), done("b", f"by {who}"), done("a", "again"))

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        first, second = await desk.output(run)
        rows = await desk.steps(run)
        assert [rows[key].payload for key in "ab"] == [f'"{first}"'.encode(), f'"{second}"'.encode()]
        assert {first, second} <= {"by a", "by b"}


async def test_a_step_is_known_by_its_id_whatever_an_operation_calls_it(store: Store) -> None:
    """Not every operation of every SDK tells the name of its step."""

    def app(told: Told) -> Answer:
        if told.is_for("a"):
            return ops({"op": "StepRun", "id": wire_id("a"), "data": 7})
        if told.knows("a"):
            return answer(200, told.of("a"))
        return ops(op("StepPlanned", "a", opts={"parallelMode": "race"}))

    async with RemoteDesk.open(store, app, retries={"times": 0}) as desk:
        run = await desk.start("pay")
        assert await desk.output(run) == {"data": 7}
        assert list(await desk.steps(run)) == ["a"]


async def test_a_wait_that_ends_while_the_app_is_called_is_not_missed(store: Store) -> None:
    """Whether the news come before the answer or after it."""
    go_on = asyncio.Event()

    async def app(told: Told) -> Answer:
        if told.is_for("slow"):
            await go_on.wait()
            return ops(done("slow"))
        if told.knows("nap") and told.knows("slow"):
            return answer(200, "both")
        return ops(op("Sleep", "nap", name="1s"), *([] if told.knows("slow") else [op("StepPlanned", "slow")]))

    async with RemoteDesk.open(store, app) as desk:
        for heard in (True, False):
            go_on.clear()
            desk.caller.calls.clear()
            run = await desk.start("pay")
            await desk.eventually(lambda: asyncio.sleep(0, len(desk.caller.calls) == 2))
            if not heard:
                go_on.set()
            await desk.advance(1_000)
            await desk.eventually_idle()
            go_on.set()
            assert await desk.output(run) == "both"


async def test_news_that_were_overtaken_change_nothing(store: Store) -> None:
    """A step is due again, and that is heard before the answer of the write that said when, or twice."""

    async def app(told: Told) -> Answer:
        if told.is_for("b"):
            await asyncio.Event().wait()
        if told.is_for("a"):
            return ops(op("StepError", "a", error=error("no"))) if told.ctx["attempt"] == 0 else ops(done("a"))
        return ops(op("StepPlanned", "a"), op("StepPlanned", "b")) if not told.knows("a") else answer(200, "on")

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")

        async def failed() -> bool:
            return "a" in await desk.steps(run)

        await desk.eventually(failed)
        assert desk.worker
        running = desk.worker.works[run].execution
        row = (await desk.steps(run))["a"]
        await desk.advance(1_000)
        await desk.eventually(lambda: asyncio.sleep(0, [c.is_for("a") for c in desk.caller.calls].count(True) == 2))

        async def recorded() -> bool:
            return (await desk.steps(run))["a"].state == "done"

        await desk.eventually(recorded)
        for due in (0, row.due):
            running.resolve(_outcome(row, due))
        await desk.eventually_idle()
        assert [call.is_for("a") for call in desk.caller.calls].count(True) == 2
        await desk.cancel(run)
        await desk.until(run, Status.CANCELLED)


def _outcome(row: StepRow, due: int) -> Outcome:
    return Outcome(row.key, row.kind, "retrying", row.turn, row.attempts, due, row.payload)


async def test_a_run_may_be_cancelled_while_its_steps_are_recorded(store: Store) -> None:
    async def app(told: Told) -> Answer:
        if len(desk.caller.calls) == 3:
            await desk.cancel(run)
        return ops(*[done(f"{len(told.steps)}-{number}") for number in range(20)])

    async with RemoteDesk.open(store, app) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.CANCELLED)
        await desk.eventually_idle()
        recorded = len(await desk.steps(run))
        await desk.eventually_idle()
        assert len(await desk.steps(run)) == recorded, "nothing is recorded after the end"


UNFIT: list[tuple[Answer, str]] = [
    ((302, {"location": "http://ex\udce4mple/"}, b""), "it redirects to http://ex?mple/, which is not followed"),
    ((200, {"content-type": "text/\udcff"}, b""), "it answers 200 with text/?"),
    (answer(206, b"[" * 300 + b"]" * 300), "nested more than 250 levels deep"),
    (answer(206, b'[{"op":"StepRun","id":"a","data":%s}]' % (b"[" * 249 + b"]" * 249)), "nested more than 250"),
    (answer(200, b"[" * 251 + b"]" * 251), "nested more than 250 levels deep"),
    (answer(201, b'{"status":206,"body":%s}' % (b"[" * 300 + b"]" * 300)), "nested more than 250 levels deep"),
]


@pytest.mark.parametrize(("reply", "said"), UNFIT, ids=[said[:30] for _, said in UNFIT])
async def test_what_cannot_be_written_down_is_said(store: Store, reply: Answer, said: str) -> None:
    async with RemoteDesk.open(store, lambda _: reply, retries={"times": 0}) as desk:
        assert said in (await desk.error(await desk.start("pay")))["message"]


async def test_odd_digits_in_a_header_mean_nothing(store: Store) -> None:
    reply = answer(200, "up", x_inngest_req_version="\u00b2", retry_after="\u00b2")
    async with RemoteDesk.open(store, lambda _: reply) as desk:
        assert await desk.output(await desk.start("pay")) == "up"


async def test_a_sleep_ends_at_a_time_that_there_is(store: Store) -> None:
    reply = ops(op("Sleep", "nap", opts={"duration": 1e300}))
    async with RemoteDesk.open(store, lambda _: reply) as desk:
        run = await desk.start("pay")
        await desk.until(run, Status.WAITING)
        assert (await desk.steps(run))["nap"].due == 4_102_444_800_000
        await desk.cancel(run)
        await desk.until(run, Status.CANCELLED)
