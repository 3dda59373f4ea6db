"""Bulk jobs: many runs steered by one order, each once, whoever dies on the way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from stepwell.platform.bulk import carrying as pacing
from stepwell.platform.bulk import jobs as keeping
from stepwell.platform.bulk.acting import Acting
from stepwell.platform.bulk.carrying import Carrying
from stepwell.platform.bulk.job import Job
from stepwell.platform.bulk.jobs import TTL, Note, Outcome
from stepwell.platform.bulk.order import Action, BulkOrder
from stepwell.platform.bulk.preview import Preview, preview_of
from stepwell.platform.bulk.wanted import Wanted
from stepwell.platform.codec import decode, encode
from stepwell.platform.doctor.ownership import examine_keys
from stepwell.platform.engine.partition import Argument, Partition
from stepwell.platform.engine.runs import Runs
from stepwell.platform.errors import StoreUnavailable
from stepwell.platform.expressions import ExpressionError
from stepwell.platform.reading import where
from stepwell.platform.reading.errors import cause_of, grouped
from stepwell.platform.reading.filter import RunFilter
from stepwell.platform.reading.runs import RunSummary
from stepwell.platform.records import RunRecord, Status
from stepwell.platform.retention import DAY
from stepwell.platform.scheduler import Scheduler
from stepwell.platform.settings import Settings
from stepwell.platform.steering.refusals import NotNow, Unfit
from stepwell.platform.store.memory import memory_store
from stepwell.platform.store.store import Store
from tests.api_desk import Desk, function

DECLINED: dict[str, Any] = {"type": "CardDeclined", "message": "no money", "traceback": []}
FAILED = Wanted(status=Status.FAILED)
HEAD = b"failed - 0 - 0 0 0 0 0 0 0 0 1 2"

Pause = Callable[[float], Awaitable[None]]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end by their numbers, however slow the machine is."""
    monkeypatch.setattr(where, "SECONDS", 60.0)


@pytest.fixture
async def desk(store: Store) -> Desk:
    return await with_functions(store)


async def with_functions(store: Store) -> Desk:
    desk = Desk.over(store)
    await desk.register(function("charge"), function("ship", "order.shipped"))
    return desk


async def failed(desk: Desk, count: int, error: Any = DECLINED) -> list[str]:
    """Runs of shop/charge that have failed, oldest first."""
    runs = [await desk.start("order.placed", {"id": number}) for number in range(count)]
    await desk.finish_all("shop/charge", status="failed", body=error)
    desk.clock.advance(1)
    return runs


async def begun(desk: Desk, action: Action = "rerun", wanted: Wanted = FAILED, **more: Any) -> str:
    """A job that was asked for, and that nobody has begun."""
    return await desk.installation.bulk.begin(BulkOrder(action, wanted, **more), "oncall")


async def at_once(seconds: float) -> None:
    """No pause at all, but for the others."""
    await asyncio.sleep(0)


def carrying(desk: Desk, pause: Pause = at_once, acting: Acting | None = None) -> Carrying:
    """What a server process has for the jobs."""
    there = desk.installation
    steers = acting or Acting(there.partitions, there.runs, there.steering)
    return Carrying(there.bulk, there.history, steers, desk.clock, pause)


async def job_of(desk: Desk, id: str) -> Job:
    job = await desk.installation.bulk.get(id)
    assert job
    return job


async def ended(desk: Desk, id: str) -> Job:
    """The job, when somebody has carried it on to its end."""
    await carrying(desk).carry_on(id)
    return await job_of(desk, id)


async def all_runs(desk: Desk, wanted: RunFilter | None = None) -> list[RunSummary]:
    """Every run there is, newest first."""
    found: list[RunSummary] = []
    cursor: str | None = None
    while True:
        page = await desk.installation.history.runs(wanted or RunFilter(), cursor=cursor, limit=100)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


async def done_again(desk: Desk) -> list[str]:
    """The runs that others do again, each as often as it is; oldest first."""
    return sorted(summary.run.rerun_of for summary in await all_runs(desk) if summary.run.rerun_of)


def told(job: Job) -> tuple[str, int, int, int]:
    """State, and runs found, steered and refused."""
    return job.state, job.matched, job.done, sum(one.count for one in job.refused)


class Mortal(Acting):
    """Steers some runs, then the process dies: in the middle of those that are steered together, or in any call."""

    def __init__(self, desk: Desk, lives: int) -> None:
        there = desk.installation
        super().__init__(there.partitions, there.runs, there.steering)
        self.lives = lives

    async def act(self, job: Job, run: str) -> Outcome:
        if self.lives == 0:
            raise asyncio.CancelledError
        self.lives -= 1
        return await super().act(job, run)


async def killed(desk: Desk, id: str, after: int) -> None:
    """A process carries the job on, and dies when it has steered so many runs."""
    with pytest.raises(asyncio.CancelledError):
        await carrying(desk, acting=Mortal(desk, after)).carry_on(id)


# What is done, and to which runs.


async def test_five_hundred_failed_runs_are_done_again_once_each(desk: Desk) -> None:
    runs = await failed(desk, 500)
    await desk.start("order.shipped")
    desk.clock.advance(1)
    job = await ended(desk, await begun(desk))
    assert told(job) == ("done", 500, 500, 0)
    assert (job.searched, job.total, job.by, job.ended) == (500, 500, "oncall", desk.clock.now())
    assert await done_again(desk) == runs
    again = await desk.installation.bulk.handled(job.id)
    assert sorted(again) == sorted(one.run.id for one in await all_runs(desk) if one.run.rerun_of)
    assert len(await all_runs(desk)) == 1_001


async def test_a_job_does_only_what_its_filter_says(desk: Desk) -> None:
    mine = await failed(desk, 3)
    await failed(desk, 4, {"type": "Timeout", "message": "late", "traceback": []})
    wanted = Wanted(function="shop/charge", q='error.type == "CardDeclined" && event.data.id > 0')
    job = await ended(desk, await begun(desk, wanted=wanted))
    assert told(job) == ("done", 2, 2, 0)
    assert job.searched == job.total == 7
    assert await done_again(desk) == mine[1:]


async def test_what_has_not_ended_is_cancelled_and_says_by_which_job(desk: Desk) -> None:
    [over] = await failed(desk, 1)
    await desk.start("order.placed")
    [lease] = await desk.lease("shop/charge")
    queued = [await desk.start("order.placed") for _ in range(30)]
    other = await desk.start("order.shipped")
    desk.clock.advance(1)
    job = await ended(desk, await begun(desk, "cancel", Wanted(function="shop/charge")))
    assert told(job) == ("done", 31, 31, 0)
    found = {one.run.id: one.run for one in await all_runs(desk)}
    assert {found[run].status for run in queued} == {Status.CANCELLED}
    assert (found[over].status, found[other].status) == (Status.FAILED, Status.QUEUED)
    assert (found[lease.run].status, found[lease.run].cancel) == (Status.RUNNING, desk.clock.now())
    assert decode(found[queued[0]].error)["message"] == f"by bulk job {job.id}"


async def test_runs_that_come_after_the_job_are_left_alone(desk: Desk) -> None:
    before = await failed(desk, 3)
    id = await begun(desk)
    await failed(desk, 4)
    assert told(await ended(desk, id)) == ("done", 3, 3, 0)
    assert await done_again(desk) == before


async def test_reruns_that_fail_as_well_are_none_of_the_jobs_though_its_machine_is_behind(desk: Desk) -> None:
    """Ids have the time of the machine that makes them: a rerun may be older than its job by that."""
    before = await failed(desk, 25)
    id = await begun(desk)
    desk.clock.advance(-20)
    carried = carrying(desk, failing(desk))
    await carried.carry_on(id)
    assert told(await job_of(desk, id))[:3] == ("done", 25, 25)
    assert await done_again(desk) == before


def failing(desk: Desk) -> Pause:
    """Between two steps of the job, what it has done again fails again."""

    async def fail(seconds: float) -> None:
        await desk.finish_all("shop/charge", status="failed", body=DECLINED)

    return fail


async def test_what_cannot_be_done_is_counted_by_its_reason(desk: Desk) -> None:
    runs = [await desk.start("order.placed") for _ in range(5)]
    desk.clock.advance(1)
    id = await begun(desk, "cancel", Wanted(function="shop/charge"))
    token = "somebody"
    job = await desk.installation.bulk.take(id, token)
    assert job
    await desk.installation.bulk.note(job, token, Note("-", list(reversed(runs)), matched=5))
    await desk.finish_all("shop/charge")
    desk.clock.advance(TTL + 1)
    done = await ended(desk, id)
    assert told(done) == ("done", 5, 0, 5)
    [refused] = done.refused
    assert (refused.reason, refused.count, refused.examples) == ("it had ended", 5, tuple(reversed(runs[2:])))


async def test_a_function_that_is_not_registered_is_said_once(desk: Desk) -> None:
    await failed(desk, 30)
    await desk.register(function("ship", "order.shipped"))
    job = await ended(desk, await begun(desk))
    assert told(job) == ("done", 30, 0, 30)
    assert [one.reason for one in job.refused] == ["no function 'shop/charge' is registered"]
    assert len(job.refused[0].examples) == 3


async def test_reasons_that_name_runs_are_one(desk: Desk) -> None:
    """As of a singleton, whose place another run has."""
    await desk.register(function("charge", singleton={"key": "event.data.id", "mode": "skip"}))
    await failed(desk, 3)
    for number in range(3):
        await desk.start("order.placed", {"id": number})
    [refused] = (await ended(desk, await begun(desk))).refused
    assert (refused.count, "…" in refused.reason) == (3, True)


async def test_reasons_without_end_are_counted_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await failed(desk, 30)

    async def act(_: Acting, job: Job, run: str) -> Outcome:
        return Outcome(run, reason=f"because of {run}")

    monkeypatch.setattr(Acting, "act", act)
    job = await ended(desk, await begun(desk))
    assert told(job) == ("done", 30, 0, 30)
    assert [(one.reason, one.count) for one in job.refused][:2] == [
        ("for another reason", 14),
        (job.refused[1].reason, 1),
    ]
    assert len(job.refused) == keeping.MOST_REASONS + 1


async def test_a_run_that_makes_us_stumble_is_refused_and_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = await failed(desk, 3)
    steer = Acting.act

    async def act(acting: Acting, job: Job, run: str) -> Outcome:
        if run == runs[1]:
            raise KeyError("h")
        return await steer(acting, job, run)

    monkeypatch.setattr(Acting, "act", act)
    job = await ended(desk, await begun(desk))
    assert told(job) == ("done", 3, 2, 1)
    assert job.refused[0].reason == "a fault of Stepwell (KeyError); the server's log says more"


async def test_what_is_about_to_be_tried_again_is_tried_now(desk: Desk) -> None:
    for _ in range(3):
        await desk.start("order.placed")
    owner = desk.owner()
    body, step, neither = await desk.lease("shop/charge")
    await owner.retry_body(body.run, body.token, 1, delay=DAY, error=b"{}")
    await owner.retry_step(step.run, step.token, 1, "pay", "run", attempts=1, delay=DAY, took=1, error=b"{}")
    await owner.suspend(step.run, step.token, 2, 1)
    desk.clock.advance(1)
    job = await ended(desk, await begun(desk, "retry", Wanted(app="shop")))
    assert told(job) == ("done", 3, 2, 1)
    assert [(one.reason, one.examples) for one in job.refused] == [
        ("nothing of it is about to be tried again", (neither.run,))
    ]
    assert {lease.run for lease in await desk.lease("shop/charge")} == {body.run, step.run}


async def test_what_is_tried_now_counts_although_its_answer_was_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await desk.start("order.placed")
    owner, retry_now = desk.owner(), Runs.retry_now
    body, step = await desk.lease("shop/charge")
    await owner.retry_body(body.run, body.token, 1, delay=DAY, error=b"{}")
    await owner.retry_step(step.run, step.token, 1, "pay", "run", attempts=1, delay=DAY, took=1, error=b"{}")
    await owner.suspend(step.run, step.token, 2, 1)
    desk.clock.advance(1)

    async def twice(runs: Runs, run: str, key: str = "") -> Any:
        await retry_now(runs, run, key)
        return await retry_now(runs, run, key)

    monkeypatch.setattr(Runs, "retry_now", twice)
    assert told(await ended(desk, await begun(desk, "retry", Wanted(app="shop")))) == ("done", 2, 2, 0)


async def test_runs_are_done_again_from_the_step_that_failed(desk: Desk) -> None:
    for _ in range(2):
        await desk.start("order.placed")
    by_step, outside = await desk.lease("shop/charge")
    owner = desk.owner()
    for number, (key, ok) in enumerate([("pay", True), ("pack", False), ("ship", False), ("sorry", False)], 1):
        payload = b'"ok"' if ok else b'{"type":"E","message":"m"}'
        await owner.checkpoint(
            by_step.run, by_step.token, number, key, "run", ok=ok, attempts=1, took=1, payload=payload
        )
    error: dict[str, Any] = {
        "type": "StepFailed",
        "message": "step 'ship' failed after 1 attempt: E: m",
        "traceback": [],
    }
    home = desk.installation.partitions[0]
    await desk.owner(home).finish(by_step.run, by_step.token, 5, "failed", encode(error))
    await desk.finish(outside, "failed", DECLINED)
    desk.clock.advance(1)
    job = await ended(desk, await begun(desk, from_failed=True))
    assert told(job) == ("done", 2, 1, 1)
    assert (job.refused[0].reason, job.refused[0].examples) == ("no step of it has failed", (outside.run,))
    [again] = await desk.installation.bulk.handled(job.id)
    steps = await desk.installation.history.steps(again)
    assert sorted(step.key for step in steps or ()) == ["pack", "pay"]


# Who does it.


@pytest.mark.parametrize("after", [0, 1, 19, 20, 21, 57])
@pytest.mark.parametrize("action", ["rerun", "cancel"])
async def test_whoever_dies_the_next_one_ends_it_and_does_nothing_twice(
    store: Store, action: Action, after: int
) -> None:
    desk = await with_functions(store)
    if action == "rerun":
        runs, wanted = await failed(desk, 60), FAILED
    else:
        runs, wanted = [await desk.start("order.placed") for _ in range(60)], Wanted(status=Status.QUEUED)
        desk.clock.advance(1)
    id = await begun(desk, action, wanted)
    await killed(desk, id, after)
    await carrying(desk).carry_on(id)
    assert (await job_of(desk, id)).state == "running", "it is the dead one's for a while"
    desk.clock.advance(TTL + 1)
    assert told(await ended(desk, id)) == ("done", 60, 60, 0)
    if action == "rerun":
        assert await done_again(desk) == runs
    else:
        assert {one.run.status for one in await all_runs(desk)} == {Status.CANCELLED}
    assert len(set(await desk.installation.bulk.handled(id))) == 60


async def test_many_who_carry_on_at_once_and_one_does(desk: Desk) -> None:
    runs = await failed(desk, 60)
    id = await begun(desk)
    await asyncio.gather(*[carrying(desk).carry_on(id) for _ in range(4)])
    assert told(await job_of(desk, id)) == ("done", 60, 60, 0)
    assert await done_again(desk) == runs


async def test_one_who_was_taken_for_dead_writes_nothing(desk: Desk) -> None:
    await failed(desk, 60)
    id, jobs = await begun(desk), desk.installation.bulk
    zombie = await jobs.take(id, "zombie")
    assert zombie
    assert await jobs.take(id, "other") is None
    desk.clock.advance(TTL + 1)
    other = await jobs.take(id, "other")
    assert other
    outcomes = [Outcome("01KDVDNA0000SS5Q8MFXV5EQ69", "01KDVDNA0000SS5Q8MFXV5EQ69")]
    assert await jobs.note(zombie, "zombie", Note("-", (), outcomes, ending="done")) == "LOST"
    assert await jobs.take(id, "zombie") is None
    assert told(await job_of(desk, id)) == ("running", 0, 0, 0)
    assert await jobs.note(other, "other", Note("", ["a"], matched=1)) == "OK"
    assert (await job_of(desk, id)).todo == ("a",)


async def test_a_note_whose_answer_was_lost_counts_once(desk: Desk) -> None:
    await failed(desk, 1)
    id, jobs = await begun(desk), desk.installation.bulk
    job = await jobs.take(id, "me")
    assert job
    note = Note("-", (), [Outcome("a", "b"), Outcome("c", reason="no")], searched=5, total=5, matched=2)
    assert [await jobs.note(job, "me", note) for _ in range(3)] == ["OK", "OK", "OK"]
    kept = await job_of(desk, id)
    assert (kept.searched, kept.matched, kept.done, kept.refused[0].count) == (5, 2, 1, 1)
    assert await jobs.handled(id) == ["b"]


async def test_it_goes_on_when_redis_is_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = await failed(desk, 40)
    steer, away = Acting.act, [True]

    async def act(acting: Acting, job: Job, run: str) -> Outcome:
        if run == runs[7] and away:
            away.pop()
            raise StoreUnavailable("redis://down", "connection refused")
        return await steer(acting, job, run)

    monkeypatch.setattr(Acting, "act", act)
    assert told(await ended(desk, await begun(desk))) == ("done", 40, 40, 0)
    assert await done_again(desk) == runs


async def test_what_nobody_has_thought_of_ends_the_job_with_its_reason(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await failed(desk, 1)

    async def find(_: Carrying, job: Job) -> Note:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(Carrying, "_find", find)
    job = await ended(desk, await begun(desk))
    assert (job.state, job.problem) == ("failed", "ZeroDivisionError: oh")


async def test_a_scheduler_carries_jobs_on() -> None:
    async with memory_store() as store:
        desk = await with_functions(store)
        runs = await failed(desk, 3)
        there = desk.installation
        scheduler = Scheduler(there.partitions, desk.clock, Settings(), there.waits.errands, there.registry)
        running = asyncio.create_task(scheduler.run())
        id = await begun(desk)
        async with asyncio.timeout(20):
            while (await job_of(desk, id)).state != "done":  # noqa: ASYNC110 - what is waited for happens in Redis
                await asyncio.sleep(0.01)
        running.cancel()
        assert await done_again(desk) == runs


async def test_a_job_that_cannot_be_read_holds_up_no_other() -> None:
    async with memory_store() as store:
        desk = await with_functions(store)
        runs = await failed(desk, 3)
        broken, fine = await begun(desk), await begun(desk)
        home = desk.installation.partitions[0]
        await store.call(0, "HSET", home.keys.name("k_bulk", broken), "what", '{"action": "of a newer version"}')
        paused, trouble = list[float](), asyncio.Event()

        async def pause(seconds: float) -> None:
            paused.append(seconds)
            await (trouble.wait() if seconds == pacing.TROUBLE else asyncio.sleep(0))

        running = asyncio.create_task(carrying(desk, pause).run())
        async with asyncio.timeout(20):
            while (await job_of(desk, fine)).state != "done" or pacing.TROUBLE not in paused:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.cancel()
        assert await done_again(desk) == runs


async def test_runs_of_all_partitions_are_found() -> None:
    async with memory_store(partitions=4) as store:
        desk = await with_functions(store)
        runs = await failed(desk, 30)
        assert told(await ended(desk, await begun(desk))) == ("done", 30, 30, 0)
        assert await done_again(desk) == sorted(runs)


# How fast, and for how long.


async def test_a_job_keeps_to_its_rate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await failed(desk, 45)
    paused = list[float]()

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    # As if nothing took any time.
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 0.0)
    await carrying(desk, pause).carry_on(await begun(desk, rate=10))
    assert paused == [0.0, *[0.5] * 8], "five runs at a time, and the last five end the job"


async def test_a_job_that_is_to_stop_does_no_more_than_it_has_begun(desk: Desk) -> None:
    await failed(desk, 100)
    id, jobs = await begun(desk), desk.installation.bulk
    pauses = list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            assert await jobs.stop(id) == "OK"
            assert (await job_of(desk, id)).state == "stopping"

    await carrying(desk, pause).carry_on(id)
    job = await job_of(desk, id)
    assert told(job) == ("stopped", 100, 2 * pacing.AT_ONCE, 0)
    assert job.ended == desk.clock.now()
    assert len(await done_again(desk)) == 2 * pacing.AT_ONCE
    assert await jobs.stop(id) == "OVER"
    await carrying(desk).carry_on(id)
    assert len(await done_again(desk)) == 2 * pacing.AT_ONCE


async def test_a_job_that_was_stopped_goes_on_where_it_was(desk: Desk) -> None:
    runs = await failed(desk, 50)
    id, jobs = await begun(desk), desk.installation.bulk
    assert await jobs.resume(id) == "OK", "nothing has stopped it"
    await killed(desk, id, 5)
    await jobs.stop(id)
    assert await jobs.resume(id) == "OK"
    assert (await job_of(desk, id)).state == "running", "it was only about to stop"
    await jobs.stop(id)
    desk.clock.advance(TTL + 1)
    assert (await ended(desk, id)).state == "stopped"
    assert [await jobs.resume(id) for _ in range(2)] == ["OK", "OK"]
    job = await ended(desk, id)
    assert told(job) == ("done", 50, 50, 0)
    assert sorted(await done_again(desk)) == sorted(runs), "each once"
    assert await jobs.resume(id) == "OVER"
    assert await jobs.resume("01KDVDNA0000SS5Q8MFXV5EQ69") == "GONE"


async def test_a_job_whose_owner_has_died_is_stopped_by_the_next(desk: Desk) -> None:
    await failed(desk, 30)
    id = await begun(desk)
    await killed(desk, id, 5)
    await desk.installation.bulk.stop(id)
    desk.clock.advance(TTL + 1)
    assert (await ended(desk, id)).state == "stopped"
    assert len(await done_again(desk)) == 5
    assert await desk.installation.bulk.stop("01KDVDNA0000SS5Q8MFXV5EQ69") == "GONE"


# What is refused.


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (BulkOrder("cancel", Wanted()), "this would cancel all runs"),
        (BulkOrder("rerun", Wanted(before=5)), "this would rerun all runs"),
        (BulkOrder("cancel", FAILED), "for runs that have not ended, not for those that are failed"),
        (BulkOrder("rerun", Wanted(status=Status.RUNNING)), "for runs that have ended, not for those that are running"),
        (BulkOrder("cancel", Wanted(app="shop"), from_failed=True), "from_failed is of a rerun"),
        (BulkOrder("rerun", FAILED, rate=0), "1 to 500 runs per second, not 0"),
        (BulkOrder("rerun", FAILED, rate=501), "1 to 500 runs per second, not 501"),
    ],
)
async def test_an_order_that_cannot_be_meant_so_is_refused(order: BulkOrder, said: str) -> None:
    async with memory_store() as store:
        desk = await with_functions(store)
        with pytest.raises(Unfit) as refused:
            await desk.installation.bulk.begin(order, "")
        assert said in str(refused.value)
        assert await desk.installation.bulk.open() == []


async def test_all_runs_are_meant_when_that_is_said(desk: Desk) -> None:
    await desk.start("order.placed")
    await desk.start("order.shipped")
    desk.clock.advance(1)
    id = await desk.installation.bulk.begin(BulkOrder("cancel", Wanted()), "", all_runs=True)
    assert told(await ended(desk, id)) == ("done", 2, 2, 0)


async def test_an_expression_that_is_none_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(ExpressionError):
        await begun(desk, wanted=Wanted(q="error.type =="))


async def test_ten_jobs_go_on_at_once_and_no_more(desk: Desk) -> None:
    ids = [await begun(desk) for _ in range(10)]
    with pytest.raises(NotNow, match="10 bulk jobs go on already"):
        await begun(desk)
    await ended(desk, ids[3])
    assert await begun(desk) not in ids


async def test_the_same_request_makes_one_job(desk: Desk) -> None:
    jobs = desk.installation.bulk
    order = BulkOrder("rerun", FAILED)
    ids = {await jobs.begin(order, "", "mine") for _ in range(3)}
    assert len(ids) == 1
    assert await jobs.begin(order, "", "another") not in ids
    with pytest.raises(Unfit):
        await jobs.begin(order, "", "x" * 129)


async def test_an_order_that_comes_twice_is_one_job_though_it_has_no_request(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Partition.script

    async def twice(partition: Partition, verb: str, *fixed: Argument, items: Any = ()) -> Any:
        made = await script(partition, verb, *fixed, items=items)
        if verb != "bulk_begin":
            return made
        await ended(desk, made.decode())
        return await script(partition, verb, *fixed, items=items)

    await failed(desk, 3)
    monkeypatch.setattr(Partition, "script", twice)
    assert told(await job_of(desk, await begun(desk))) == ("done", 3, 3, 0)
    assert await desk.installation.bulk.open() == []


async def test_the_last_job_that_may_go_on_is_made_though_its_answer_is_lost(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Partition.script

    async def twice(partition: Partition, verb: str, *fixed: Argument, items: Any = ()) -> Any:
        if verb == "bulk_begin":
            await script(partition, verb, *fixed, items=items)
        return await script(partition, verb, *fixed, items=items)

    for _ in range(9):
        await begun(desk)
    monkeypatch.setattr(Partition, "script", twice)
    assert await begun(desk) in await desk.installation.bulk.open()


# What is kept.


async def test_jobs_are_listed_newest_first(desk: Desk) -> None:
    ids: list[str] = []
    for _ in range(5):
        desk.clock.advance(1)
        ids.append(await begun(desk))
    await ended(desk, ids[0])
    jobs = desk.installation.bulk
    first, cursor = await jobs.page(None, 3)
    rest, end = await jobs.page(cursor, 3)
    assert [job.id for job in [*first, *rest]] == ids[::-1]
    assert end is None
    assert await jobs.open() == ids[1:]


async def test_jobs_go_with_retention_and_leave_nothing(desk: Desk) -> None:
    runs = await failed(desk, 3)
    over = await begun(desk)
    await ended(desk, over)
    going_on = await begun(desk)
    there = desk.installation
    scheduler = Scheduler(there.partitions, desk.clock, Settings(), there.waits.errands, there.registry)
    desk.clock.advance(7 * DAY - 1)
    await scheduler.trim()
    assert await there.bulk.get(over)
    desk.clock.advance(1)
    await scheduler.trim()
    assert await there.bulk.get(over) is None
    assert await there.bulk.get(going_on)
    assert await there.bulk.handled(over) == []
    assert runs
    assert [one for one in await examine_keys(there.partitions[0], Settings(), desk.clock) if "bulk" in str(one)] == []


async def test_of_very_many_jobs_the_oldest_go(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_ENDED", 2)
    ids: list[str] = []
    for _ in range(4):
        desk.clock.advance(1)
        ids.append(await begun(desk))
        await ended(desk, ids[-1])
    desk.clock.advance(1)
    ids.append(await begun(desk))
    await desk.installation.bulk.trim(DAY)
    jobs, _ = await desk.installation.bulk.page(None, 10)
    assert [job.id for job in jobs] == ids[:1:-1]


async def test_the_doctor_finds_what_belongs_to_no_job(desk: Desk) -> None:
    await failed(desk, 3)
    await ended(desk, await begun(desk))
    home = desk.installation.partitions[0]
    assert await examine_keys(home, Settings(), desk.clock) == []
    await desk.installation.store.call(0, "DEL", home.keys.name("k_bulks"))
    assert {one.what for one in await examine_keys(home, Settings(), desk.clock)} == {"its bulk job is not listed"}


# What would be done.


async def previewed(desk: Desk, action: Action = "rerun", wanted: Wanted = FAILED) -> Preview:
    return await preview_of(desk.installation.history, BulkOrder(action, wanted), desk.clock.now())


async def test_a_preview_tells_how_many_and_that_it_is_one_error(desk: Desk) -> None:
    runs = await failed(desk, 12, step_failed("no money on card 4711"))
    await failed(desk, 3, {"type": "Timeout", "message": "late", "traceback": []})
    await desk.start("order.placed")
    desk.clock.advance(1)
    seen = await previewed(desk)
    assert (seen.count, seen.exact, seen.searched, seen.total, seen.failed) == (15, True, 15, 15, 15)
    assert [(group.type, group.message, group.count) for group in seen.errors] == [
        ("CardDeclined", "no money on card 4711", 12),
        ("Timeout", "late", 3),
    ]
    assert seen.errors[0].example == runs[-1]
    assert len(seen.examples) == 10
    assert await desk.installation.bulk.open() == []


def step_failed(message: str) -> dict[str, Any]:
    """The error of a run, one of whose steps has failed."""
    said = f"step 'charge card' failed after 3 attempts: CardDeclined: {message}"
    return {"type": "StepFailed", "message": said, "traceback": []}


def test_messages_without_a_space_are_told_apart_in_no_time() -> None:
    long = encode({"type": "Long", "message": "x" * 400_000})
    run = RunRecord.parse("01KDVDNA0000SS5Q8MFXV5EQ69", {b"h": HEAD, b"i": b"1 v e shop/charge", b"err": long})
    began = time.process_time()
    [group] = grouped([run] * 5)
    assert (group.count, group.messages, len(group.message)) == (5, 1, 500)
    assert time.process_time() - began < 20  # of what needs hours when it looks from every character to the end


async def test_messages_that_differ_in_numbers_are_one_error(desk: Desk) -> None:
    for card in (1, 2, 2):
        await failed(desk, 1, step_failed(f"card x-{card} has {card}.50"))
    [group] = (await previewed(desk)).errors
    assert (group.count, group.messages, group.message) == (3, 2, "card x-2 has 2.50")


@pytest.mark.parametrize(
    ("kind", "message", "cause"),
    [
        ("KeyError", "'id'", ("KeyError", "'id'")),
        ("StepFailed", 'step "it\'s" failed after 1 attempt: Timeout: a\nb', ("Timeout", "a\nb")),
        ("StepFailed", "somebody's own", ("StepFailed", "somebody's own")),
        (
            "InvokeFailed",
            "step 'call': shop/child did not complete (run 01KDVDNA0000SS5Q8MFXV5EQ69): Timeout: late",
            ("InvokeFailed", "step 'call': shop/child did not complete: Timeout: late"),
        ),
        (None, None, ("Error", "")),
    ],
)
def test_the_cause_of_an_error_is_that_of_its_step(
    kind: str | None, message: str | None, cause: tuple[str, str]
) -> None:
    assert cause_of(encode({"type": kind, "message": message})) == cause


async def test_the_job_of_a_preview_does_what_was_shown(desk: Desk) -> None:
    runs = await failed(desk, 2)
    seen = await previewed(desk)
    await failed(desk, 5)
    job = await ended(desk, await begun(desk, wanted=seen.order.wanted))
    assert told(job) == ("done", seen.count, 2, 0)
    assert await done_again(desk) == runs


async def test_what_an_expression_takes_too_long_for_is_told_and_left_alone(desk: Desk) -> None:
    await desk.start("order.placed", {"id": 1, "xs": list(range(2_000))})
    [other] = await failed(desk, 1)
    costly = "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, event.data.xs.all(x, x >= 0)))"
    wanted = Wanted(q=f"!has(event.data.xs) || {costly}")
    seen = await previewed(desk, wanted=wanted)
    assert (seen.count, seen.exact, seen.undecided) == (1, False, 1)
    job = await ended(desk, await begun(desk, wanted=wanted))
    assert (told(job), job.undecided, await done_again(desk)) == (("done", 1, 1, 0), 1, [other])


async def test_a_preview_of_very_many_says_how_far_it_has_looked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stepwell.platform.bulk.preview.MOST_SEARCHED", 100)
    await failed(desk, 120)
    seen = await previewed(desk)
    assert (seen.count, seen.exact, seen.searched) == (120, True, 100), "the index knows"
    seen = await previewed(desk, wanted=Wanted(function="shop/charge"))
    assert (seen.count, seen.exact, seen.searched, seen.total) == (100, False, 100, 120)
    for _ in range(101):
        await desk.start("order.placed")
    desk.clock.advance(1)
    seen = await previewed(desk, "cancel", Wanted(after=0))
    assert (seen.count, seen.exact, seen.failed) == (101, True, 0)
    seen = await previewed(desk, "cancel", Wanted(app="shop"))
    assert (seen.count, seen.exact) == (100, False)


def ids_of(runs: Sequence[RunSummary]) -> list[str]:
    return [one.run.id for one in runs]


async def test_a_filter_of_those_that_have_not_ended_finds_just_them(desk: Desk) -> None:
    over = await failed(desk, 3)
    live = [await desk.start("order.placed") for _ in range(2)]
    assert ids_of(await all_runs(desk, RunFilter(ended=False))) == live[::-1]
    assert ids_of(await all_runs(desk, RunFilter(ended=True))) == over[::-1]
    assert ids_of(await all_runs(desk, RunFilter(function="shop/charge", ended=False))) == live[::-1]
