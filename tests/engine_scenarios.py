"""What the engine promises, one rule at a time: a scenario begins with an empty `Bench` and fails when its rule breaks.

They also are the first to look for seeded faults, so each is a few calls long and waits for nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stepwell.platform.engine.answers import Conflict, OverLimit, Stale
from stepwell.platform.engine.leases import SessionDead
from stepwell.platform.engine.runs import MAX_OF_EVENT, MAX_RERUNS, Creation, Kept
from stepwell.platform.ids import new_id, run_id
from stepwell.platform.ingest import BUCKET, WINDOW
from stepwell.platform.records import Lease
from tests.engine_bench import BODY, CRASH_LIMIT, EXPIRY, PATIENCE, Bench, Place

Scenario = Callable[[Bench], Awaitable[None]]
SCENARIOS: list[Scenario] = []
BOTH = ("app/f", "app/f!")
DAY = 86_400_000


def scenario(work: Scenario) -> Scenario:
    """Adds it to the list."""
    SCENARIOS.append(work)
    return work


# Concurrency: limits, and the baton that is passed to lanes that wait.


@scenario
async def a_limit_is_kept_exactly(bench: Bench) -> None:
    await bench.limit("app/f", 2)
    runs = [await bench.send("app/f|") for _ in range(3)]
    leased = await bench.lease("w")
    assert leased == runs[:2]
    assert await bench.lease("w") == []
    await bench.finish(await _again(bench, runs[0]))
    assert await bench.lease("w") == runs[2:]


@scenario
async def each_of_two_limits_is_kept_exactly(bench: Bench) -> None:
    await bench.limit("app/f", 3, 2)
    for key in "aaab":
        await bench.send(f"app/f||{key}")
    lanes = [(await bench.header(run)).lane for run in await bench.lease("w")]
    assert sorted(lanes) == ["app/f||a", "app/f||a", "app/f||b"]
    await bench.send("app/f||c")
    assert await bench.lease("w") == []


@scenario
async def a_lane_that_cannot_use_a_slot_passes_it_on_when_it_parks(bench: Bench) -> None:
    await bench.limit("app/f", 2, 1)
    first = await bench.started("app/f||a")
    second = await bench.started("app/f||b")
    await bench.send("app/f||a")
    await bench.send("app/f||c")
    assert await bench.lease("w") == []  # both lanes wait for the first limit
    await bench.finish(second)
    # The lane of `a` is called up first, and finds its own key still taken by `first`.
    assert [lease.lane for lease in await bench.call("w", "x")] == ["app/f||c"]
    assert await bench.status(first.run) == "running"


@scenario
async def a_lane_that_is_cancelled_empty_passes_its_slot_on(bench: Bench) -> None:
    await bench.limit("app/f", 1, 1)
    holder = await bench.started("app/f||a")
    called, waiting = await bench.send("app/f||b"), await bench.send("app/f||c")
    assert await bench.lease("w") == []
    await bench.finish(holder)  # calls up the lane of `b`
    assert await bench.runs.cancel(called) == "CANCELLED"
    assert await bench.lease("w") == [waiting]


@scenario
async def a_parked_lane_that_is_empty_passes_its_slot_on(bench: Bench) -> None:
    """Nothing of the engine leaves one behind; should it be there, it must not swallow the slot."""
    await bench.limit("app/f", 1, 1)
    holder = await bench.started("app/f||a")
    waiting = await bench.send("app/f||c")
    assert await bench.lease("w") == []
    await bench.read("ZADD", "k_parked", "app/f#0|", 0, "app/f||ghost")
    await bench.finish(holder)
    assert await bench.read("ZRANGE", "k_lanes", "app/f", 0, -1) == [b"app/f||c"]
    assert await bench.lease("w") == [waiting]


@scenario
async def a_lane_emptied_by_leasing_passes_further_slots_on(bench: Bench) -> None:
    await bench.limit("app/f", 2, 2)
    holders = [await bench.started("app/f||a"), await bench.started("app/f||a")]
    for key in "bc":
        await bench.send(f"app/f||{key}")
    assert await bench.lease("w") == []
    for holder in holders:
        await bench.finish(holder)
    assert len(await bench.lease("w", count=1)) == 1
    assert len(await bench.lease("w", count=1)) == 1


@scenario
async def slots_are_freed_by_whatever_ends_the_lease(bench: Bench) -> None:
    await bench.limit("app/f", 1)
    run = await bench.send("app/f|")
    ways: list[Callable[[Lease], Awaitable[Any]]] = [
        bench.release,
        lambda lease: bench.retry_body(lease, 0),
        lambda lease: bench.suspend(lease, seen=-1),
        lambda lease: bench.crash(lease.token.split(":")[0]),
        bench.finish,
    ]
    for number, way in enumerate(ways):
        lease = await bench.one(f"w{number}")
        assert lease.run == run
        await way(lease)
        assert not await bench.exists("k_slots", "app/f#0|")
        await bench.ticks.tick()
    assert await bench.status(run) == "completed"


@scenario
async def a_raised_limit_is_used_at_once(bench: Bench) -> None:
    await bench.limit("app/f", 1, 1)
    await bench.started("app/f||a")
    waiting = [await bench.send(f"app/f||{key}") for key in "bcd"]
    assert await bench.lease("w") == []
    await bench.limit("app/f", 3, 1)
    await bench.ticks.tick()
    assert await bench.lease("w") == waiting[:2]
    assert await bench.lease("w") == []


@scenario
async def a_limit_that_is_taken_away_leaves_nobody_waiting(bench: Bench) -> None:
    await bench.limit("app/f", 1, 1)
    holder = await bench.started("app/f||a")
    waiting = [await bench.send(f"app/f||{key}") for key in "bcd"]
    assert await bench.lease("w") == []
    await bench.finish(holder)  # calls up `b` alone, which then has no limit to pass on
    await bench.limit("app/f")
    await bench.ticks.tick()
    assert sorted(await bench.lease("w")) == sorted(waiting)
    assert not await bench.exists("k_blocked")


@scenario
async def however_many_lanes_wait_all_are_called_up(bench: Bench) -> None:
    """More than one call takes: first by a limit that was raised, then by one that was taken away."""
    for limits in ((100, 1), ()):
        await bench.limit("app/f", 1, 1)
        await bench.started("app/f||a")
        for number in range(70):
            await bench.send(f"app/f||{number}")
        for _ in range(2):
            assert await bench.lease("w") == []
        await bench.limit("app/f", *limits)
        await bench.ticks.tick()
        await bench.ticks.tick()
        assert len(await bench.lease("w") + await bench.lease("w")) == 70
        await bench.crash("w")
        await bench.clear()


@scenario
async def a_limit_that_is_added_holds_for_runs_that_wait_already(bench: Bench) -> None:
    runs = [await bench.send("app/f") for _ in range(3)]
    await bench.limit("app/f", 1)
    assert await bench.lease("w") == runs[:1]
    assert await bench.lease("w") == []
    await bench.finish(await _again(bench, runs[0]))
    assert await bench.lease("w") == runs[1:2]


@scenario
async def an_older_registry_changes_no_limits(bench: Bench) -> None:
    await bench.limit("app/f", 1)
    assert await bench.partition.script("adopt", 1, 0, items=[]) == 2
    await bench.send("app/f|")
    await bench.send("app/f|")
    assert len(await bench.lease("w")) == 1


@scenario
async def a_scope_nobody_waits_for_is_not_remembered(bench: Bench) -> None:
    await bench.limit("app/f", 1)
    holder = await bench.started("app/f|")
    waiting = await bench.send("app/f|")
    assert await bench.lease("w") == []
    assert await bench.exists("k_blocked")
    await bench.runs.cancel(waiting)
    await bench.finish(holder)
    assert not await bench.exists("k_blocked")


@scenario
async def lanes_take_turns(bench: Bench) -> None:
    await bench.limit("app/f", 100, 100)
    for _ in range(6):
        await bench.send("app/f||big")
    await bench.send("app/f||small")
    lanes = [(await bench.one()).lane for _ in range(3)]
    assert "app/f||small" in lanes


@scenario
async def a_run_that_has_begun_goes_before_those_that_have_not(bench: Bench) -> None:
    older = await bench.send(due=bench.clock.now() + 1_000)
    begun = await bench.started()
    await bench.sleep(begun, "nap", 900)
    await bench.suspend(begun, within=1_000)
    await bench.pass_time(1_000)  # a wait, a look at the run itself and a start are due, and found in one tick
    assert await bench.lease("w") == [begun.run, older]


# Leases, tokens and repeated calls.


@scenario
async def a_repeated_lease_brings_the_same_runs(bench: Bench) -> None:
    runs = [await bench.send() for _ in range(3)]
    first = await bench.call("w", "1", count=2)
    assert await bench.call("w", "1", count=2) == first
    assert [lease.run for lease in await bench.call("w", "2", count=2)] == runs[2:]


@scenario
async def two_who_lease_for_one_session_do_not_forget_each_others_calls(bench: Bench) -> None:
    await bench.send("app/f")
    await bench.send("app/g")
    first = await bench.call("w", "1", "app/f")
    second = await bench.call("w", "2", "app/g")
    assert await bench.call("w", "1", "app/f") == first
    assert await bench.call("w", "2", "app/g") == second


@scenario
async def a_write_under_another_token_is_stale(bench: Bench) -> None:
    old = await bench.started()
    await bench.release(old)
    new = await bench.one("w2")
    writes: list[Callable[[], Awaitable[Any]]] = [
        lambda: bench.record(old, "a"),
        lambda: bench.sleep(old, "a", 1),
        lambda: bench.retry(old, "a", 1, 1),
        lambda: bench.suspend(old),
        lambda: bench.finish(old),
    ]
    for write in writes:
        with pytest.raises(Stale):
            await write()
    assert await bench.steps(new.run) == {}
    assert (await bench.header(new.run)).token == new.token


@scenario
async def a_write_after_the_lease_has_ended_is_stale(bench: Bench) -> None:
    lease = await bench.started()
    await bench.suspend(lease, within=5_000)
    writes: list[Callable[[], Awaitable[Any]]] = [
        lambda: bench.record(lease, "a"),
        lambda: bench.release(lease),
        lambda: bench.finish(lease),
    ]
    for write in writes:
        with pytest.raises(Stale):
            await write()
    assert await bench.status(lease.run) == "waiting"


@scenario
async def each_verb_is_answered_the_same_when_it_is_repeated(bench: Bench) -> None:
    """As after a lost reply: the same token and seq."""
    owner, lease = bench.owner, await bench.started()
    run, token = lease.run, lease.token

    async def checkpoint() -> Any:
        return await owner.checkpoint(run, token, 1, "a", "run", ok=True, attempts=1, took=1, payload=b"1")

    async def arm() -> Any:
        return await owner.arm(run, token, 2, "b", "sleep", delay=9_000, until=None, payload=b"")

    async def retry() -> Any:
        return await owner.retry_step(run, token, 3, "c", "run", attempts=1, delay=9_000, took=1, error=b"{}")

    for write in (checkpoint, arm, retry):
        assert await write() == await write()
    assert (await bench.header(run)).turn == 1
    for seq, end in enumerate((_suspend, _release, _retry_body, _finish), start=4):
        await end(bench, lease, seq)
        before = await bench.header(run)
        await end(bench, lease, seq)
        assert await bench.header(run) == before
        if before.status.ended:
            return
        bench.clock.advance(1)
        await bench.ticks.tick()
        lease = await bench.one()


async def _suspend(bench: Bench, lease: Lease, seq: int) -> None:
    await bench.owner.suspend(lease.run, lease.token, seq, 0, 1)


async def _release(bench: Bench, lease: Lease, seq: int) -> None:
    await bench.owner.release(lease.run, lease.token, seq)


async def _retry_body(bench: Bench, lease: Lease, seq: int) -> None:
    await bench.owner.retry_body(lease.run, lease.token, seq, delay=1, error=b"{}")


async def _finish(bench: Bench, lease: Lease, seq: int) -> None:
    await bench.owner.finish(lease.run, lease.token, seq, "completed", b"1")


@scenario
async def another_write_than_the_last_is_no_repeat_of_it(bench: Bench) -> None:
    lease = await bench.started()
    await bench.owner.release(lease.run, lease.token, 7)
    with pytest.raises(Stale):
        await bench.owner.finish(lease.run, lease.token, 8, "completed", b"1")
    assert await bench.status(lease.run) == "queued"


# Steps and turns.


@scenario
async def an_outcome_is_recorded_once(bench: Bench) -> None:
    lease = await bench.started()
    assert await bench.record(lease, "a", b'"first"') == 1
    assert await bench.record(lease, "b") == 2
    assert await bench.record(lease, "a", b'"second"') == 1
    assert (await bench.steps(lease.run))["a"].payload == b'"first"'


@scenario
async def outcomes_of_one_call_share_a_turn(bench: Bench) -> None:
    lease = await bench.started()
    assert list(await asyncio.gather(bench.record(lease, "a"), bench.record(lease, "b"))) == [1, 1]
    assert await bench.record(lease, "c") == 2
    for key in "de":
        await bench.sleep(lease, key, 1_000)
    await bench.pass_time(1_000)
    assert {row.turn for row in (await bench.steps(lease.run)).values()} == {1, 2, 3}


@scenario
async def a_wait_is_never_armed_again_nor_over_early(bench: Bench) -> None:
    lease = await bench.started()
    row = await bench.sleep(lease, "nap", 1_000)
    bench.clock.advance(999)
    assert await bench.sleep(lease, "nap", 1_000) == row
    await bench.ticks.tick()
    assert (await bench.steps(lease.run))["nap"].state == "pending"
    await bench.pass_time(1)
    assert (await bench.steps(lease.run))["nap"].state == "done"


@scenario
async def a_wait_does_not_take_the_outcome_of_a_body(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 1_000)
    with pytest.raises(Conflict):
        await bench.record(lease, "nap")
    assert (await bench.steps(lease.run))["nap"].kind == "sleep"


@scenario
async def steps_may_be_called_anything(bench: Bench) -> None:
    lease = await bench.started()
    keys = ["a|b", "!", "line\nfeed", "ключ", " "]
    for key in keys:
        await bench.sleep(lease, key, 1_000)
    await bench.pass_time(1_000)
    assert await bench.news("w") == {(lease.run, key) for key in keys}
    assert {row.state for row in (await bench.steps(lease.run)).values()} == {"done"}
    await bench.finish(lease)
    assert not await bench.exists("k_timers")


@scenario
async def limits_of_a_run_are_exact_and_refuse_before_anything_is_written(bench: Bench) -> None:
    lease = await bench.started()
    await bench.record(lease, "big", b"1" * (1 << 17))
    with pytest.raises(OverLimit, match="bytes"):
        await bench.record(lease, "more")
    for key in "abcd":
        await bench.sleep(lease, key, 9_000)
    with pytest.raises(OverLimit, match="steps"):
        await bench.sleep(lease, "e", 9_000)
    header = await bench.header(lease.run)
    assert (header.steps, header.bytes, len(await bench.steps(lease.run))) == (5, 1 << 17, 5)


@scenario
async def an_outcome_the_owner_has_not_seen_makes_the_run_ready_at_once(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "short", 1_000)
    await bench.sleep(lease, "long", 9_000)
    await bench.pass_time(1_000)
    await bench.suspend(lease, seen=0)
    assert await bench.status(lease.run) == "queued"
    again = await bench.one()
    await bench.suspend(again, seen=1)
    assert await bench.status(lease.run) == "waiting"


@scenario
async def a_run_that_waits_for_nothing_is_ready_at_once(bench: Bench) -> None:
    lease = await bench.started()
    await bench.suspend(lease)
    assert await bench.status(lease.run) == "queued"


@scenario
async def a_suspended_run_is_looked_at_again_in_time(bench: Bench) -> None:
    lease = await bench.started()
    await bench.suspend(lease, within=2_000)
    await bench.pass_time(1_999)
    assert await bench.status(lease.run) == "waiting"
    await bench.pass_time(1)
    assert await bench.lease("w") == [lease.run]


@scenario
async def a_wait_that_ends_before_that_leaves_no_timer(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 9_000)
    await bench.suspend(lease, within=9_000)
    assert await bench.runs.resolve(lease.run, "nap", ok=True, payload=b"1") == "OK"
    assert await bench.lease("w") == [lease.run]
    assert not await bench.exists("k_timers")


@scenario
async def a_body_is_retried_at_its_time_whatever_its_waits_do(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 1_000)
    await bench.retry_body(lease, 3_000)
    await bench.pass_time(2_999)
    assert await bench.status(lease.run) == "waiting"
    await bench.pass_time(1)
    again = await bench.one()
    assert (again.run, again.attempt, again.turn) == (lease.run, 1, 1)


@scenario
async def the_first_to_resolve_a_wait_wins(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 1_000)
    assert await bench.runs.resolve(lease.run, "nap", ok=False, payload=b'"no"') == "OK"
    assert await bench.runs.resolve(lease.run, "nap", ok=True, payload=b'"yes"') == "DONE"
    assert await bench.runs.resolve(lease.run, "never", ok=True, payload=b"") == "GONE"
    await bench.pass_time(1_000)
    row = (await bench.steps(lease.run))["nap"]
    assert (row.state, row.payload, row.turn) == ("failed", b'"no"', 1)


@scenario
async def the_owner_of_a_running_run_is_told_until_it_has_heard(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 1_000)
    await bench.pass_time(1_000)
    news = {(lease.run, "nap")}
    assert await bench.news("w") == news
    assert await bench.news("w") == news
    assert await bench.news("w", list(news)) == set()


@scenario
async def a_delayed_start_waits_and_starts_once(bench: Bench) -> None:
    run = await bench.send(due=bench.clock.now() + 3_001)
    await bench.pass_time(2_999)
    assert await bench.lease("w") == []
    await bench.pass_time(1)
    assert await bench.lease("w") == [run]
    late = await bench.send(due=bench.clock.now() - 1)
    assert await bench.lease("w") == [late]


@scenario
async def a_delayed_start_can_be_cancelled(bench: Bench) -> None:
    run = await bench.send(due=bench.clock.now() + 3_000)
    assert await bench.runs.cancel(run) == "CANCELLED"
    assert not await bench.exists("k_timers")
    await bench.pass_time(3_000)
    assert await bench.lease("w") == []


@scenario
async def state_too_large_for_the_answer_does_not_come_with_the_lease(bench: Bench) -> None:
    lease = await bench.started()
    await bench.record(lease, "a", b"1" * 65_536)
    await bench.release(lease)
    assert (await bench.one()).rows is None


@scenario
async def many_small_steps_count_as_what_they_take_in_the_answer(bench: Bench) -> None:
    bench.owner = type(bench.owner)(bench.partition, max_steps=1_000, max_bytes=1 << 20)
    lease = await bench.started()
    await asyncio.gather(*[bench.record(lease, f"step-{number}", b"1") for number in range(600)])
    await bench.release(lease)
    again = await bench.one()
    assert (again.rows, again.steps) == (None, 600)


@scenario
async def an_answer_is_about_a_mebibyte_and_says_that_there_is_more(bench: Bench) -> None:
    for _ in range(8):
        event = bench.event()
        body = b'{"name":"n","data":"%s"}' % (b"x" * 400_000)
        assert (
            await bench.ingest.add((1, event, "", 0, "", f"{run_id(event, 'app/f', 0)} app/f v1 - - -", body)) == b"OK"
        )
    first = await bench.leases.lease("w", "w:1", 64, ["app/f"])
    assert (len(first.leases), first.more) == (3, True)
    rest = [await bench.leases.lease("w", f"w:{call}", 64, ["app/f"]) for call in (2, 3)]
    assert [(len(leased.leases), leased.more) for leased in rest] == [(3, True), (2, False)]


# Deaths.


@scenario
async def a_run_that_was_executing_when_its_worker_died_counts_it(bench: Bench) -> None:
    guilty, idle = await bench.started(), await bench.started()
    await bench.crash("w", guilty.run)
    assert (await bench.header(guilty.run)).crashes == 1
    assert (await bench.header(idle.run)).crashes == 0
    assert await bench.lease("w2") == [guilty.run, idle.run]
    assert not await bench.exists("k_held", "w")


@scenario
async def one_that_dies_too_often_fails_as_crashed_exactly_then(bench: Bench) -> None:
    run = await bench.send()
    for death in range(1, CRASH_LIMIT + 2):
        lease = await bench.one(f"w{death}", *BOTH)
        assert (lease.run, lease.crashes) == (run, death - 1)
        await bench.crash(f"w{death}", run)
    header = await bench.header(run)
    assert (header.status, header.crashes) == ("failed", CRASH_LIMIT + 1)
    assert b"Crashed" in header.error


@scenario
async def dying_idle_never_fails_a_run(bench: Bench) -> None:
    run = await bench.send()
    for death in range(CRASH_LIMIT + 2):
        assert await bench.lease(f"w{death}") == [run]
        await bench.crash(f"w{death}")


@scenario
async def a_suspect_is_leased_by_those_who_ask_for_suspects_alone(bench: Bench) -> None:
    run = await bench.send()
    for death in range(2):
        assert await bench.lease(f"w{death}") == [run]
        await bench.crash(f"w{death}", run)
    assert await bench.lease("w2") == []
    lease = await bench.one("w2", "app/f!")
    await bench.record(lease, "a")
    assert (await bench.header(run)).crashes == 0
    await bench.release(lease)
    assert await bench.lease("w2") == [run]


@scenario
async def whatever_a_run_records_clears_its_crashes(bench: Bench) -> None:
    await bench.send()
    ways: list[Callable[[Lease], Awaitable[Any]]] = [
        lambda lease: bench.record(lease, "a"),
        lambda lease: bench.sleep(lease, "b", 99_000),
        lambda lease: bench.retry(lease, "c", 1, 99_000),
        bench.release,
    ]
    for number, way in enumerate(ways):
        lease = await bench.one(f"w{number}")
        await bench.crash(f"w{number}", lease.run)
        again = await bench.one(f"v{number}")
        assert again.crashes == 1
        await way(again)
        assert (await bench.header(again.run)).crashes == 0
        await bench.crash(f"v{number}")


@scenario
async def a_suspect_does_not_hold_up_the_others_of_its_limit(bench: Bench) -> None:
    await bench.limit("app/f", 1, 1)
    suspect = await bench.send("app/f||a")
    for death in range(2):
        assert await bench.lease(f"w{death}") == [suspect]
        await bench.crash(f"w{death}", suspect)
    holder = await bench.started("app/f||b")
    assert await bench.lease("w", *BOTH) == []  # the suspect parks, as the first of all
    waiting = await bench.send("app/f||c")
    assert await bench.lease("w", *BOTH) == []
    await bench.finish(holder)
    assert await bench.lease("w", "app/f") == [waiting]


@scenario
async def a_silent_session_dies_after_its_time_and_not_before(bench: Bench) -> None:
    await bench.pass_time(EXPIRY + 1_000)  # past the grace of the beginning
    lease = await bench.started()
    await bench.pass_time(EXPIRY)
    assert await bench.status(lease.run) == "running"
    await bench.pass_time(1)
    assert await bench.status(lease.run) == "queued"
    assert (await bench.header(lease.run)).crashes == 1
    assert not await bench.exists("k_sessions")


@scenario
async def a_session_that_beats_lives(bench: Bench) -> None:
    await bench.pass_time(EXPIRY + 1_000)
    lease = await bench.started()
    for _ in range(4):
        await bench.pass_time(EXPIRY - 1_000)
        assert (await bench.leases.beat("w")).held == 1
    assert await bench.status(lease.run) == "running"


@scenario
async def nobody_is_declared_dead_right_after_a_gap(bench: Bench) -> None:
    await bench.pass_time(EXPIRY + 1_000)
    lease = await bench.started()
    await bench.pass_time(10 * EXPIRY, step=10 * EXPIRY)
    assert await bench.status(lease.run) == "running"
    await bench.pass_time(EXPIRY - 1)
    assert await bench.status(lease.run) == "running"
    await bench.pass_time(1)
    assert await bench.status(lease.run) == "queued"


@scenario
async def when_time_goes_back_the_dead_are_found_all_the_same(bench: Bench) -> None:
    await bench.pass_time(EXPIRY + 1_000)
    bench.clock.advance(DAY)
    await bench.ticks.tick()
    lease = await bench.started()
    bench.clock.advance(-DAY)
    await bench.ticks.tick()
    await bench.pass_time(EXPIRY)
    assert await bench.status(lease.run) == "running"
    await bench.pass_time(1)
    assert await bench.status(lease.run) == "queued"


@scenario
async def a_dead_session_can_do_nothing_more(bench: Bench) -> None:
    lease = await bench.started()
    await bench.crash("w")
    waiting = await bench.send()
    with pytest.raises(SessionDead):
        await bench.leases.beat("w")
    with pytest.raises(SessionDead):
        await bench.lease("w")
    with pytest.raises(Stale):
        await bench.finish(lease)
    assert await bench.lease("w2") == [lease.run, waiting]


@scenario
async def reaping_twice_is_reaping_once(bench: Bench) -> None:
    lease = await bench.started()
    await bench.crash("w", lease.run)
    again = await bench.one("w2")
    await bench.crash("w", lease.run)
    assert await bench.status(lease.run) == "running"
    await bench.finish(again)
    told = {bench.partition.keys.name("k_sessions"), bench.partition.keys.name("k_history", lease.run)}
    assert await bench.left() == told | await _kept(bench, lease)


@scenario
async def a_session_with_more_runs_than_a_call_takes_is_reaped_whole(bench: Bench) -> None:
    runs = [await bench.send() for _ in range(70)]
    assert sorted(await bench.lease("w") + await bench.lease("w")) == sorted(runs)
    await bench.crash("w")
    assert len(await bench.lease("w2")) == 64
    assert not await bench.exists("k_held", "w")


@scenario
async def news_does_not_outlive_the_session_it_is_for(bench: Bench) -> None:
    """A wait ends, and a cancel is forced, in the very tick that declares the session dead."""
    await bench.pass_time(EXPIRY + 1_000)
    for _ in range(2):
        await bench.send()
    first, second = await bench.call("w", "1")
    await bench.sleep(first, "nap", EXPIRY + 1)
    bench.clock.advance(EXPIRY + 1 - PATIENCE)
    await bench.runs.cancel(second.run)
    bench.clock.advance(PATIENCE - EXPIRY - 1)
    await bench.pass_time(EXPIRY)
    await bench.pass_time(1)
    assert (await bench.status(first.run), await bench.status(second.run)) == ("queued", "cancelled")
    for name in ("k_news", "k_held", "k_session"):
        assert not await bench.exists(name, "w")


# Cancelling.


@scenario
async def a_cancel_is_told_and_ends_the_run_when_its_owner_lets_go(bench: Bench) -> None:
    ways: list[Callable[[Lease], Awaitable[Any]]] = [
        bench.suspend,
        bench.release,
        lambda lease: bench.retry_body(lease, 1_000),
        lambda lease: bench.crash("w"),
    ]
    for way in ways:
        lease = await bench.started()
        assert await bench.runs.cancel(lease.run) == "ASKED"
        assert (lease.run, "") in await bench.news("w")
        assert await bench.status(lease.run) == "running"
        await way(lease)
        assert await bench.status(lease.run) == "cancelled"
        assert await bench.runs.cancel(lease.run) == "ENDED"
    assert not await bench.exists("k_timers")


@scenario
async def a_cancel_that_is_not_heard_is_forced_in_time(bench: Bench) -> None:
    lease = await bench.started()
    await bench.runs.cancel(lease.run)
    await bench.news("w", [(lease.run, "")])
    bench.clock.advance(PATIENCE - 1)
    await bench.runs.cancel(lease.run)  # asking again gives no more time
    await bench.ticks.tick()
    assert await bench.status(lease.run) == "running"
    await bench.pass_time(1)
    assert await bench.status(lease.run) == "cancelled"
    assert await bench.news("w") == {(lease.run, "")}
    assert (await bench.leases.beat("w")).held == 0
    with pytest.raises(Stale):
        await bench.finish(lease)


@scenario
async def a_run_that_ends_first_forgets_that_it_was_to_be_cancelled(bench: Bench) -> None:
    lease = await bench.started()
    await bench.runs.cancel(lease.run)
    await bench.finish(lease)
    await bench.pass_time(PATIENCE, step=PATIENCE)
    assert await bench.status(lease.run) == "completed"


@scenario
async def a_waiting_and_a_queued_run_are_cancelled_at_once(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 1_000)
    await bench.suspend(lease)
    queued = await bench.send()
    for run in (lease.run, queued):
        assert await bench.runs.cancel(run) == "CANCELLED"
    await bench.pass_time(1_000)
    assert await bench.lease("w") == []
    assert not await bench.exists("k_timers")
    assert await bench.read("ZRANGE", "k_outcome", "cancelled", 0, -1) == sorted([lease.run.encode(), queued.encode()])


# Events.


@scenario
async def an_event_id_is_known_for_the_whole_window_and_not_for_ever(bench: Bench) -> None:
    bench.clock.advance(BUCKET - bench.clock.now() % BUCKET - 1)  # the last ms of a bucket
    first = bench.event()
    assert await bench.offer(first, "app/f", sender="mine") == b"OK"
    for later in (1, WINDOW - 2, 1):
        bench.clock.advance(later)
        assert await bench.offer(bench.event(), "app/f", sender="mine") == [b"DUP", first.encode()]
    bench.clock.advance(2 * BUCKET)
    assert await bench.offer(bench.event(), "app/f", sender="mine") == b"OK"


@scenario
async def an_event_id_is_known_when_time_goes_back(bench: Bench) -> None:
    bench.clock.advance(BUCKET - bench.clock.now() % BUCKET)  # the first ms of a bucket
    first = bench.event()
    await bench.offer(first, "app/f", sender="mine")
    bench.clock.advance(-1)
    assert await bench.offer(bench.event(), "app/f", sender="mine") == [b"DUP", first.encode()]


@scenario
async def one_id_twice_in_one_call_is_one_event(bench: Bench) -> None:
    first, second = bench.event(), bench.event()
    answers = await asyncio.gather(*[bench.offer(event, "app/f", sender="mine") for event in (first, second)])
    assert answers == [b"OK", [b"DUP", first.encode()]]
    assert len(await bench.lease("w")) == 1


@scenario
async def an_event_that_is_sent_again_after_a_lost_reply_starts_nothing_twice(bench: Bench) -> None:
    event = bench.event()
    assert await bench.offer(event, "app/f") == b"OK"
    lease = await bench.one()
    assert await bench.offer(event, "app/f") == b"OK"
    assert await bench.lease("w") == []
    assert (await bench.header(lease.run)).token == lease.token
    assert await bench.read("XLEN", "k_log") == 1


@scenario
async def an_event_matched_with_another_registry_is_not_taken(bench: Bench) -> None:
    event = bench.event()
    assert await bench.ingest.add((99, event, "", 0, "", "", b"{}")) == b"RELOAD"
    assert not await bench.exists("k_event", event)


# Other partitions.


@scenario
async def a_run_at_home_elsewhere_is_created_there_once(bench: Bench) -> None:
    run = await bench.send(target="1")
    assert not await bench.exists("k_run", run)
    rows = await bench.read("XRANGE", "k_outbox", "1", "-", "+")
    assert await bench.outbox.deliver() == 1
    assert await bench.outbox.deliver() == 0
    [lease] = await bench.other.call("w", "1")
    assert (lease.run, lease.event.name) == (run, "n")
    # The same row by somebody who has read it before, and is late.
    await bench.read("XADD", "k_outbox", "1", "*", *[value.decode() for value in rows[0][1]])
    await bench.read("SADD", "k_outboxes", "", "1")
    await bench.outbox.deliver()
    assert (await bench.other.header(run)).token == lease.token
    assert not await bench.exists("k_outboxes")
    assert not await bench.exists("k_outbox", "1")


@scenario
async def a_cancel_before_its_create_wins(bench: Bench) -> None:
    run = await bench.send(target="1")
    assert await bench.other.runs.cancel(run) == "GONE"
    await bench.outbox.deliver()
    assert await bench.other.status(run) == "cancelled"
    assert await bench.other.lease("w") == []
    assert not await bench.other.exists("k_tombstones")


@scenario
async def a_cancel_of_what_never_comes_is_forgotten_after_days(bench: Bench) -> None:
    assert await bench.runs.cancel(bench.event()) == "GONE"
    await bench.pass_time(2 * DAY - 1, step=2 * DAY)
    assert await bench.exists("k_tombstones")
    await bench.pass_time(1)
    assert not await bench.exists("k_tombstones")


@scenario
async def an_event_stays_until_its_runs_elsewhere_are_created(bench: Bench) -> None:
    first = bench.event()
    await bench.offer(first, "app/f")
    await bench.finish(await bench.one())
    run = await bench.send(target="1")
    bench.clock.advance(8 * DAY)
    assert await bench.ticks.trim_runs(DAY) == 1
    await bench.ticks.trim_events(DAY)
    await bench.outbox.deliver()
    assert await bench.other.status(run) == "queued"
    assert await bench.ticks.trim_events(DAY) >= 1
    assert await bench.read("XLEN", "k_log") == 0


# Retention.


@scenario
async def retention_removes_a_run_with_all_that_is_its_own_at_its_age(bench: Bench) -> None:
    await bench.limit("app/f", 1)
    lease = await bench.started("app/f|")
    await bench.record(lease, "a")
    await bench.finish(lease, "failed")
    await bench.crash("w")
    bench.clock.advance(DAY - 1)
    assert (await bench.ticks.trim_runs(DAY), await bench.ticks.trim_events(DAY)) == (0, 0)
    bench.clock.advance(1)
    assert (await bench.ticks.trim_runs(DAY), await bench.ticks.trim_events(DAY)) == (1, 1)
    assert await bench.left() == set()


@scenario
async def an_event_is_kept_for_its_runs_and_goes_with_the_last(bench: Bench) -> None:
    event = bench.event()
    runs = [run_id(event, name, 0) for name in ("app/f", "app/g")]
    lines = f"{runs[0]} app/f v1 - - -\n{runs[1]} app/g v1 - - -"
    assert await bench.ingest.add((1, event, "", 0, "", lines, b'{"name":"n","data":{}}')) == b"OK"
    bench.clock.advance(DAY)
    assert await bench.ticks.trim_events(DAY) == 1
    for run, function in zip(runs, ("app/f", "app/g"), strict=True):
        lease = await bench.one("w", function)
        assert (lease.run, lease.event.id, lease.event.name) == (run, event, "n")
        await bench.finish(lease)
        bench.clock.advance(DAY)
        assert await bench.ticks.trim_runs(DAY) == 1
        assert await bench.exists("k_event", event) == (run == runs[0])


# Helpers.


async def _again(bench: Place, run: str) -> Lease:
    """The lease of a run that is leased already, as its owner would have it."""
    header = await bench.header(run)
    return Lease(run, header.token, header.lane, header.turn, 0, 0, 0, "v1", None, ())  # type: ignore[arg-type]


async def _kept(bench: Bench, lease: Lease) -> set[str]:
    """Keys of one run that has ended, and of the session that ended it."""
    keys = bench.partition.keys
    names = [("k_run", lease.run), ("k_event", lease.event.id), ("k_runs_of", "app/f"), ("k_functions", "")]
    return {keys.name(name, rest) for name, rest in [*names, ("k_ended", ""), ("k_session", "w2")]}


# Steering: retries that are hurried, waits that are woken, runs that are done again.


@scenario
async def a_body_is_retried_at_once_when_asked_for(bench: Bench) -> None:
    lease = await bench.started()
    assert await bench.runs.retry_now(lease.run) == "DONE"
    await bench.sleep(lease, "nap", 9_000)
    await bench.retry_body(lease, 60_000)
    assert await bench.runs.retry_now(lease.run) == "OK"
    assert await bench.runs.retry_now(lease.run) == "DONE"
    assert await bench.read("ZRANGE", "k_timers", "", 0, -1) == [f"{lease.run}|nap".encode()]
    again = await bench.one()
    assert (again.run, again.attempt) == (lease.run, 1)
    assert await bench.runs.retry_now("nothing") == "GONE"


@scenario
async def what_is_no_retry_of_the_body_is_not_hurried(bench: Bench) -> None:
    delayed = await bench.send(due=bench.clock.now() + 60_000)
    assert await bench.runs.retry_now(delayed) == "DONE"
    lease = await bench.started()
    await bench.suspend(lease, within=60_000)
    assert await bench.runs.retry_now(lease.run) == "DONE"
    assert await bench.lease("w") == []


@scenario
async def a_step_is_retried_at_once_and_only_one_that_is_to_be(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 60_000)
    await bench.retry(lease, "try", 1, 60_000)
    await bench.suspend(lease)
    assert await bench.runs.retry_now(lease.run, "nap") == "DONE"
    assert await bench.runs.wake(lease.run, "try") == "DONE"
    assert await bench.lease("w") == []
    assert await bench.runs.retry_now(lease.run, "try") == "OK"
    assert await bench.runs.retry_now(lease.run, "try") == "DONE"
    row = (await bench.steps(lease.run))["try"]
    assert (row.state, row.due, row.attempts) == ("retrying", 0, 1)
    assert await bench.lease("w") == [lease.run]


@scenario
async def a_wait_that_is_woken_becomes_what_it_does_in_time(bench: Bench) -> None:
    lease = await bench.started()
    await bench.sleep(lease, "nap", 60_000)
    late = b'failed {"late":1}\nshown'
    await bench.owner.arm(lease.run, lease.token, 9, "call", "invoke", delay=60_000, until=None, payload=late)
    await bench.suspend(lease)
    assert await bench.runs.wake(lease.run, "call") == "OK"
    assert await bench.runs.wake(lease.run, "nap") == "OK"
    assert await bench.runs.wake(lease.run, "nap") == "DONE"
    assert await bench.runs.wake(lease.run, "never") == "GONE"
    rows = await bench.steps(lease.run)
    assert (rows["nap"].state, rows["nap"].payload) == ("done", b"")
    assert (rows["call"].state, rows["call"].payload) == ("failed", b'{"late":1}')
    assert not await bench.exists("k_timers")
    assert await bench.lease("w") == [lease.run]


def _rerun(lease: Lease, run: str, record: bytes = b"") -> Creation:
    return Creation(run, "app/f", "v2", lease.event.id, 0, record, link=f"rerun {lease.run}")


@scenario
async def a_rerun_has_the_steps_it_is_given_and_is_made_once(bench: Bench) -> None:
    lease = await bench.started()
    await bench.record(lease, "a", b'"1"')
    await bench.record(lease, "b", b'"22"')
    rows = list((await bench.steps(lease.run)).values())
    await bench.finish(lease)
    run = new_id(bench.clock.now(), bench.partition.index)
    kept = Kept(rows, 2, [("k:b", "child")])
    assert await bench.runs.rerun(_rerun(lease, run), kept) == "OK"
    assert await bench.runs.rerun(_rerun(lease, run), kept) == "DUP"
    header = await bench.header(run)
    assert (header.turn, header.steps, header.bytes, header.pending) == (2, 2, 7, 0)
    assert (header.version, header.rerun_of, header.event) == ("v2", lease.run, lease.event.id)
    assert await bench.read("HGET", "k_run", run, "k:b") == b"child"
    assert await bench.read("PTTL", "k_steps", run) == -1
    again = await bench.one()
    assert (again.run, again.turn, again.event.data) == (run, 2, {})
    assert {row.key: row.payload for row in again.rows or ()} == {"a": b'"1"', "b": b'"22"'}


@scenario
async def a_rerun_is_not_made_while_steps_are_missing(bench: Bench) -> None:
    lease = await bench.started()
    await bench.record(lease, "a")
    [row] = (await bench.steps(lease.run)).values()
    run = new_id(bench.clock.now(), bench.partition.index)
    assert await bench.partition.script("copy_steps", run, 60_000, items=[("b", row.text)]) == b"OK"
    assert 0 < await bench.read("PTTL", "k_steps", run) <= 60_000
    assert await bench.runs.rerun(_rerun(lease, run), Kept([row], 1)) == "INCOMPLETE"
    assert not await bench.exists("k_run", run)


@scenario
async def an_event_stays_for_its_rerun(bench: Bench) -> None:
    lease = await bench.started()
    await bench.finish(lease)
    await bench.pass_time(2_000)
    run = new_id(bench.clock.now(), bench.partition.index)
    assert await bench.runs.rerun(_rerun(lease, run), Kept()) == "OK"
    await bench.finish(await bench.one())
    assert await bench.ticks.trim_runs(1_000) == 1
    assert await bench.ticks.trim_events(1_000) == 1
    assert await bench.exists("k_event", lease.event.id)
    await bench.pass_time(2_000)
    assert await bench.ticks.trim_runs(1_000) == 1
    assert not await bench.exists("k_event", lease.event.id)


@scenario
async def a_rerun_elsewhere_takes_its_event_along(bench: Bench) -> None:
    lease, there = await bench.started(), bench.other
    runs = [new_id(bench.clock.now(), there.partition.index) for _ in range(2)]
    assert await there.runs.rerun(_rerun(lease, runs[0]), Kept()) == "GONE"
    assert not await there.exists("k_run", runs[0])
    record = b"T 7 8 %s\n%s" % (runs[0].encode(), BODY)
    assert await there.runs.rerun(_rerun(lease, runs[0], record), Kept()) == "OK"
    assert await there.runs.rerun(_rerun(lease, runs[1], b"T 7 8 other\n" + BODY), Kept()) == "OK"
    first, second = await there.one(), await there.one()
    assert first.event == second.event
    assert (first.event.received, first.event.position) == (7, 8)
    assert set(first.event.runs) <= {*runs}
    kept = await there.read("GET", "k_event", lease.event.id)
    assert kept.startswith(b"T 7 8 " + ",".join(runs).encode() + b"\n")


@scenario
async def a_request_is_for_one_rerun(bench: Bench) -> None:
    lease = await bench.started()
    assert await bench.runs.ask_again(lease.run, "mine", "one") == "one"
    assert await bench.runs.ask_again(lease.run, "mine", "two") == "one"
    assert await bench.runs.ask_again(lease.run, "other", "two") == "two"
    assert await bench.runs.ask_again("nothing", "mine", "one") is None
    assert not await bench.exists("k_run", "nothing")


@scenario
async def a_run_is_done_again_so_often_and_what_was_asked_for_stays_known(bench: Bench) -> None:
    lease = await bench.started()
    fields = await bench.read("HLEN", "k_run", lease.run)
    assert await bench.runs.ask_again(lease.run, "mine", "one") == "one"
    for number in range(MAX_RERUNS - 1):
        assert await bench.runs.ask_again(lease.run, "", f"r{number}") == f"r{number}"
        assert await bench.runs.ask_again(lease.run, "mine", "again") == "one"
    assert await bench.runs.ask_again(lease.run, "", "more") == "FULL"
    assert await bench.runs.ask_again(lease.run, "other", "more") == "FULL"
    assert await bench.runs.ask_again(lease.run, "mine", "again") == "one"
    assert await bench.read("HLEN", "k_run", lease.run) == fields + 2, "what is not asked for by a name leaves none"


@scenario
async def an_event_has_so_many_runs(bench: Bench) -> None:
    lease, there = await bench.started(), bench.other
    runs = [new_id(bench.clock.now(), there.partition.index) for _ in range(MAX_OF_EVENT + 1)]
    record = b"T 7 8 %s\n%s" % (",".join(runs[: MAX_OF_EVENT - 1]).encode(), BODY)
    assert await there.runs.rerun(_rerun(lease, runs[0], record), Kept()) == "OK"
    assert await there.runs.rerun(_rerun(lease, runs[-2]), Kept()) == "OK"
    assert await there.runs.rerun(_rerun(lease, runs[-1]), Kept()) == "FULL"
    assert await there.runs.rerun(_rerun(lease, runs[-2]), Kept()) == "DUP"
    assert not await there.exists("k_run", runs[-1])


@scenario
async def the_versions_a_run_is_leased_by_are_noted(bench: Bench) -> None:
    run = await bench.send()
    seen = list[tuple[str, ...]]()
    for number, version in enumerate(["v1", "v1", "v2", "", "v1", "v2", "v3"]):
        leased = await bench.leases.lease("w", f"w:{number}", 1, ["app/f"], {"app/f": version})
        [lease] = leased.leases
        seen.append((await bench.header(run)).versions)
        await bench.release(lease)
    assert seen == [("v1",), ("v1",), *[("v1", "v2")] * 4, ("v1", "v2", "v3")]
    for number in range(30):
        leased = await bench.leases.lease("w", f"w:n{number}", 1, ["app/f"], {"app/f": f"n{number}"})
        await bench.release(leased.leases[0])
    assert (await bench.header(run)).versions == tuple(f"n{number}" for number in range(10, 30))


@scenario
async def a_run_that_first_is_leased_by_another_version_knows_that_alone(bench: Bench) -> None:
    run = await bench.send()
    await bench.leases.lease("w", "w:1", 1, ["app/f"], {"app/f": "v2"})
    header = await bench.header(run)
    assert (header.version, header.versions) == ("v1", ("v2",))


@scenario
async def the_drift_of_a_run_is_kept_with_it(bench: Bench) -> None:
    lease = await bench.started()
    await bench.owner.finish(lease.run, lease.token, 1, "completed", b"1", b'["old","b"]')
    await bench.owner.finish(lease.run, lease.token, 1, "completed", b"1", b'["other"]')
    assert (await bench.header(lease.run)).drift == ("old", "b")
